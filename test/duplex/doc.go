// Package duplex calls the real program, by SIP and RTP, with an agent whose model
// hears and speaks by itself, against local servers of the vendors: what the
// telephone hears, what the journal tells and what the vendor was told must agree.
package duplex
