package actorstest

import (
	"slices"

	"flametree/actors"
)

var _ actors.Captioned = (*Phone)(nil)

// Caption implements actors.Captioned.
func (p *Phone) Caption(c actors.Caption) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.captions = append(p.captions, c)
}

// Captions are what was shown so far.
func (p *Phone) Captions() []actors.Caption {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clip(p.captions)
}
