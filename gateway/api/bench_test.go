package api_test

import (
	"bytes"
	"testing"

	"flametree/gateway/gatewaytest"
)

// What the front door itself costs: loopback, one kept-alive connection, a house
// that answers at once; net/http's client is in the figure.
func BenchmarkChat(b *testing.B) {
	s := gatewaytest.Open(gatewaytest.New(), gatewaytest.Config{})
	defer func() { _ = s.Close(b.Context()) }()
	id := s.Session(b)
	ct, form := gatewaytest.Form([]string{"message", "hello"})
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Do(b, "GET", "/chatbot/card/session/"+id, nil)
		}
	})
	b.Run("create", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Do(b, "POST", "/chatbot/card/session", bytes.NewReader([]byte(documented)), "Content-Type", "application/json")
		}
	})
	b.Run("run", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.Do(b, "POST", "/chatbot/card/session/"+id+"/run_v2", bytes.NewReader(form), "Content-Type", ct)
		}
	})
}
