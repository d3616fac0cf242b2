package rtp

import (
	"net/netip"
	"testing"
	"time"
)

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestLatch(t *testing.T) {
	const announced, nat, stranger = "192.0.2.10:4000", "198.51.100.7:61000", "203.0.113.66:9999"
	type step struct {
		ms     int    // since the step before
		arm    string // re-INVITE with this address, or
		src    string // a valid packet from there
		want   bool
		target string
	}
	tests := map[string][]step{
		"the announced address": {
			{0, announced, "", true, announced},
			{20, "", announced, true, announced},
			{20, "", stranger, false, announced},
		},
		"an address behind a NAT": {
			{0, announced, "", true, announced},
			{20, "", nat, true, nat},
			{20, "", nat, true, nat},
			{9000, "", nat, true, nat},
		},
		"a stranger after latching": {
			{0, announced, "", true, announced},
			{20, "", nat, true, nat},
			{20, "", stranger, false, nat},
			{60000, "", stranger, false, nat},
		},
		"a stranger was quicker, the announced address takes over": {
			{0, announced, "", true, announced},
			{1, "", stranger, true, stranger},
			{20, "", announced, true, announced},
			{20, "", stranger, false, announced},
		},
		"the announced address comes too late to take over": {
			{0, announced, "", true, announced},
			{1, "", nat, true, nat},
			{2000, "", announced, false, nat},
		},
		"a re-INVITE with the same address keeps the way to a NAT": {
			{0, announced, "", true, announced},
			{20, "", nat, true, nat},
			{5000, announced, "", true, nat},
			{20, "", nat, true, nat},
		},
		"a re-INVITE to another address": {
			{0, announced, "", true, announced},
			{20, "", nat, true, nat},
			{5000, "192.0.2.99:7000", "", true, "192.0.2.99:7000"},
			{5, "", nat, false, "192.0.2.99:7000"}, // still on its way from the old one
			{20, "", "198.51.100.7:62222", true, "198.51.100.7:62222"},
			{20, "", nat, false, "198.51.100.7:62222"},
		},
		"a re-INVITE back to the address packets came from": {
			{0, announced, "", true, announced},
			{20, "", nat, true, nat},
			{5000, nat, "", true, nat},
			{5, "", nat, true, nat},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var l latch
			now := time.Unix(100, 0)
			for i, s := range steps {
				now = now.Add(time.Duration(s.ms) * time.Millisecond)
				got := true
				if s.arm != "" {
					l.arm(now, at(s.arm))
				} else {
					got = l.accept(now, at(s.src))
				}
				if got != s.want || l.target() != at(s.target) {
					t.Fatalf("step %d: accepted %v, sends to %v; want %v and %s", i, got, l.target(), s.want, s.target)
				}
			}
		})
	}
}

func TestNothingIsLetInBeforeTheLatchIsArmed(t *testing.T) {
	var l latch
	if l.accept(time.Unix(1, 0), at("192.0.2.1:5")) || l.target().IsValid() {
		t.Error("an unarmed latch let a packet in")
	}
}
