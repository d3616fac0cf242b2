package sip

// Media is what NewMedia made for the call.
func (c *Call) Media() Media { return c.media }
