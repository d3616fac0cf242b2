package config

import "cmp"

// Relay is how the relay of browser calls speaks TLS.
type Relay struct {
	Address string // "" = off
	Cert    string
	Key     string
	Name    string // "" = the address browsers are told
}

// set reads one setting of the relay's.
func (r *Relay) set(key, text string) (err error) {
	switch key {
	case "turn.tls":
		r.Address, err = address(text)
	case "turn.tls-cert":
		r.Cert = text
	case "turn.tls-key":
		r.Key = text
	case "turn.tls-name":
		r.Name = text
	}
	return err
}

// RelayPair is the files of the relay's certificate and its key; where none are set,
// those of telephony.
func (c *Config) RelayPair() (cert, key string) {
	return cmp.Or(c.Relay.Cert, c.Phone.Cert), cmp.Or(c.Relay.Key, c.Phone.Key)
}
