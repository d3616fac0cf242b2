package rtp

// SetClock says how many timestamp units a second the negotiated codec counts;
// 8000 until it is called. What was measured before in other units is kept as
// time. A change takes effect with the next packet.
func (c *Conn) SetClock(rateHz int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.reception
	if rateHz <= 0 || rateHz == r.rateHz {
		return
	}
	r.jitter *= float64(rateHz) / float64(r.rateHz)
	r.rateHz, r.timed = rateHz, false
}

// Admit lets one more payload type in until the next Expect, such as comfort
// noise under a number of its own. Its timestamps do not measure jitter.
func (c *Conn) Admit(payloadType uint8) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.types[payloadType&0x7F] = true
}
