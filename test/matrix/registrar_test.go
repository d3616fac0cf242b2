package matrix_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/cluster/node"
	"flametree/engine/event"
	"flametree/test/telephony"
)

// account is what a connection says to register with a Kamailio.
func account(domain, user, transport string) map[string]string {
	return map[string]string{"domain": domain, "user": user, "login": "auth-" + user, "transport": transport, "expires": "60"}
}

func registrarRows() []row {
	return []row{
		{"registration MD5,several accounts,login differs from user,status visible", "kamailio", "udp", func(t *testing.T, x *exchange) {
			for _, user := range []string{"100", "200"} {
				x.Connect(t, "desk "+user, "board", true, account(x.md5.UDP, user, "udp"), telephony.Password)
			}
			f := node.ChannelForm{Name: "wrong", Settings: account(x.md5.UDP, "900", "udp"), Secrets: map[string]string{"password": "guess"}}
			_, err := x.ChannelCreate(t.Context(), f)
			require.NoError(t, err)
			start(t, x, "wrong")
			card := x.State(t, "wrong", "failed")
			require.Contains(t, card.Detail, "check user, login and password")
			require.NotContains(t, fmt.Sprintf("%+v", card), "guess")
			x.State(t, "desk 100", "registered")
			x.State(t, "desk 200", "registered")
		}},
		{"registration MD5,TCP", "kamailio", "tcp", func(t *testing.T, x *exchange) {
			x.Connect(t, "by tcp", "", false, account(x.md5.UDP, "101", "tcp"), telephony.Password)
		}},
		{"registration MD5,TLS", "kamailio", "tls", func(t *testing.T, x *exchange) {
			x.Connect(t, "by tls", "", false, account(x.md5.TLS, "102", "tls"), telephony.Password)
		}},
		{"registration SHA-256", "kamailio", "udp", func(t *testing.T, x *exchange) {
			x.Connect(t, "by sha", "", false, account(x.sha.UDP, "103", "udp"), telephony.Password)
		}},
		{"inbound by registration", "sipp, kamailio", "udp", func(t *testing.T, x *exchange) {
			x.Connect(t, "reception", "board", true, account(x.md5.UDP, "300", "udp"), telephony.Password)
			s := calls("300", "0 101").Pause(200*time.Millisecond).Request("BYE", "300", 2, "").Gets("200", "")
			plays(t, x, s, "registered", x.md5.UDP, "-t", "u1", "-i", "127.0.0.1")
		}},
		{"inbound by registration", "sipp, kamailio", "tls", func(t *testing.T, x *exchange) {
			x.Connect(t, "vault", "board", true, account(x.md5.TLS, "301", "tls"), telephony.Password)
			s := calls("301", "0 101").Pause(200*time.Millisecond).Request("BYE", "301", 2, "").Gets("200", "")
			plays(t, x, s, "behindtls", x.md5.UDP, "-t", "u1", "-i", "127.0.0.1")
		}},
		{"inbound by address", "sipp", "udp", func(t *testing.T, x *exchange) {
			x.Connect(t, "trunk", "board", true, map[string]string{"domain": "127.0.0.3", "user": "trunk", "register": "false", "sources": "127.0.0.3"}, "")
			number := "+442079460018" // no agent is called so
			s := calls(number, "0 101").Pause(200*time.Millisecond).Request("BYE", number, 2, "").Gets("200", "")
			plays(t, x, s, "carrier", x.SIP, "-t", "u1", "-i", "127.0.0.3", "-mi", "127.0.0.3")
			c := rings(number, "0 101").Gets("404", "").Request("ACK", number, 1, "").Sipp(t, "stranger", x.SIP, "-t", "u1", "-i", "127.0.0.4")
			require.NoError(t, c.Wait(patience), "who is no trunk calls nobody: %s", c.Said())
		}},
		{"outbound with caller id", "sipp, kamailio", "udp", func(t *testing.T, x *exchange) {
			set := account(x.md5.UDP, "400", "udp")
			set["caller_id"] = "+442079460018"
			x.Connect(t, "outside", "caller", false, set, telephony.Password)
			s := new(telephony.Scenario).Gets("INVITE", telephony.Wants("From:", "sip:.442079460018@")).Answer("180 Ringing", "").
				Answer("200 OK", telephony.Sound(1, "0 101", "sendrecv")).Gets("ACK", "").Gets("BYE", "").Reply("200 OK", "")
			c, at := callee(t, s, "udp")
			to := fmt.Sprintf("sip:uas-%s@%s", portOf(at), x.md5.UDP)
			got := place(t, x, node.CallForm{To: to, Connection: "outside"}, c, hangsUp(t, x))
			require.Equal(t, event.Completed, got.Status)
		}},
		{"NAT keep-alive", "kamailio", "udp", keepAlive},
	}
}

// keepAlive registers through a relay that stands for a NAT and counts the
// packets that keep it open: they come before a NAT forgets (30 s), and the
// registrar takes no offence at them.
func keepAlive(t *testing.T, x *exchange) {
	nat, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	to, err := net.ResolveUDPAddr("udp", x.md5.UDP)
	require.NoError(t, err)
	kept, done := make(chan struct{}, 16), make(chan struct{})
	go func() {
		defer close(done)
		var inside *net.UDPAddr
		buf := make([]byte, 65536)
		for {
			n, from, err := nat.ReadFromUDP(buf)
			if err != nil {
				return
			}
			if from.Port == to.Port {
				_, _ = nat.WriteToUDP(buf[:n], inside)
				continue
			}
			inside = from
			if n <= 4 {
				select {
				case kept <- struct{}{}:
				default:
				}
			}
			_, _ = nat.WriteToUDP(buf[:n], to)
		}
	}()
	defer func() {
		require.NoError(t, nat.Close())
		<-done
	}()
	set := account(x.md5.UDP, "500", "udp")
	set["proxy"] = nat.LocalAddr().String()
	x.Connect(t, "behind a nat", "", false, set, telephony.Password)
	select {
	case <-kept:
	case <-time.After(28 * time.Second):
		t.Fatal("nothing keeps the way through the NAT open")
	}
	x.State(t, "behind a nat", "registered")
	stop(t, x, "behind a nat")
}
