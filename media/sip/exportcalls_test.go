package sip

// Held counts what an endpoint still holds for requests and calls.
func Held(e *Endpoint) (servers, merged, clients, lanes, calls int) {
	e.lanes.mu.Lock()
	lanes = len(e.lanes.waiting)
	e.lanes.mu.Unlock()
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.servers), len(e.merged), len(e.clients), lanes, len(e.calls)
}

// ParseRAck, ParseFrag, ParseReplaces and ReadExpires are what reads bytes of the
// other side.
func ParseRAck(v string) bool {
	_, _, ok := parseRAck(v)
	return ok
}

// ParseFrag is parseFrag.
func ParseFrag(v string) (int, string, bool) { return parseFrag(v) }

// ParseReplaces is parseReplaces, spelled again.
func ParseReplaces(v string) (string, error) {
	r, err := parseReplaces(v)
	if err != nil {
		return "", err
	}
	return r.callID + ";to-tag=" + r.toTag + ";from-tag=" + r.fromTag, nil
}

// Replacing is the Replaces header by which the other side's friend takes the
// place of a call of ours that was answered.
func Replacing(c *Call) string {
	d := c.view.Load()
	return d.callID + ";to-tag=" + tagOf(d.local.Params) + ";from-tag=" + tagOf(d.remote.Params)
}
