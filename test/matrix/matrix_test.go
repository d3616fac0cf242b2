package matrix_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/test/telephony"
)

// features are all that the SIP endpoint is to do: each needs a row.
func features() []string {
	return []string{
		"registration MD5", "registration SHA-256", "several accounts", "login differs from user", "status visible",
		"inbound by registration", "inbound by address", "outbound with caller id", "server and parameters", "early media",
		"busy", "no answer", "declined", "failed", "canceled",
		"UDP", "TCP", "TLS", "WebSocket", "SDES-SRTP", "DTLS-SRTP",
		"PRACK", "session timer", "UPDATE", "multi-hop Record-Route", "forked answers",
		"REFER blind", "REFER attended", "REFER in", "Replaces in", "302", "hold and resume", "music on hold",
		"INFO digits", "RFC 4733 in", "RFC 4733 out", "comfort noise", "RTCP", "NAT keep-alive", "IPv6",
		"PCMU", "PCMA", "G722", "opus", "re-negotiation",
	}
}

// row is one thing that a foreign client does with the server. It may prove
// several features.
type row struct {
	features  string // comma-separated
	client    string
	transport string
	run       func(t *testing.T, x *exchange)
}

// result is a line of the table.
type result struct {
	Feature   string `json:"feature"`
	Client    string `json:"client"`
	Transport string `json:"transport"`
	Result    string `json:"result"`
	Took      string `json:"took"`
}

func TestMatrixOfForeignClients(t *testing.T) {
	x := open(t)
	var mu sync.Mutex
	var table []result
	rows := slices.Concat(linesRows(), registrarRows(), dialogRows(), phoneRows(), sealedRows(), passRows())
	t.Run("rows", func(t *testing.T) {
		for _, r := range rows {
			t.Run(strings.NewReplacer(" ", "_", ",", "+").Replace(r.features)+"/"+r.client+"/"+r.transport, func(t *testing.T) {
				t.Parallel()
				begun := time.Now()
				defer func() {
					word := "passed"
					if t.Failed() {
						word = "FAILED"
					}
					mu.Lock()
					defer mu.Unlock()
					for f := range strings.SplitSeq(r.features, ",") {
						table = append(table, result{f, r.client, r.transport, word, time.Since(begun).Round(time.Millisecond).String()})
					}
				}()
				r.run(t, x)
			})
		}
	})
	write(t, table)
	for _, f := range features() {
		require.True(t, slices.ContainsFunc(table, func(r result) bool { return r.Feature == f }), "no foreign client does %q", f)
	}
	for _, r := range table {
		require.Contains(t, features(), r.Feature)
	}
	x.Quiet(t, 40*time.Second)
}

// write leaves the table as Markdown and JSON in the folder of the test's
// artifacts, and in the log.
func write(t *testing.T, table []result) {
	t.Helper()
	order := features()
	slices.SortStableFunc(table, func(a, b result) int { return slices.Index(order, a.Feature) - slices.Index(order, b.Feature) })
	var md strings.Builder
	md.WriteString("| feature | client | transport | result | took |\n|---|---|---|---|---|\n")
	for _, r := range table {
		fmt.Fprintf(&md, "| %s | %s | %s | %s | %s |\n", r.Feature, r.Client, r.Transport, r.Result, r.Took)
		t.Logf("figure: %s | %s | %s | %s", r.Feature, r.Client, r.Transport, r.Result)
	}
	text, err := json.MarshalIndent(table, "", "  ")
	require.NoError(t, err)
	dir := t.ArtifactDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "matrix.md"), []byte(md.String()), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "matrix.json"), text, 0o600))
}

// exchange is the server of the matrix with its registrars.
type exchange struct {
	*telephony.Office
	papers   telephony.Papers
	md5, sha *telephony.Kamailio
	tls, ws  string // the server's further addresses
	six      string
	usual    string         // address at which the server has the usual port, for who leaves ports out
	passes   map[string]int // ports of those who are put through to, by agent
}

func open(t *testing.T) *exchange {
	t.Helper()
	x := &exchange{papers: telephony.Issue(t), passes: make(map[string]int)}
	x.md5 = telephony.StartKamailio(t, "MD5", x.papers)
	x.sha = telephony.StartKamailio(t, "SHA-256", x.papers)
	x.tls = fmt.Sprintf("127.0.0.1:%d", telephony.FreePort(t, "127.0.0.1"))
	x.ws = fmt.Sprintf("127.0.0.1:%d", telephony.FreePort(t, "127.0.0.1"))
	x.six = fmt.Sprintf("[::1]:%d", telephony.FreePort(t, "::1"))
	x.usual = telephony.Loopback()
	agents := []string{
		telephony.Agent("board", "inbound_voice", "VOICE_BARGE_IN", "False"),
		telephony.Agent("caller", "outbound_voice", "VOICE_BARGE_IN", "False", "VOICE_AMD", "False"),
	}
	for _, mode := range []string{"blind", "attended", "warm"} {
		x.passes[mode] = telephony.FreePort(t, "127.0.0.1")
		to := fmt.Sprintf(`{"desk":"sip:uas-%d@%s"}`, x.passes[mode], x.md5.UDP)
		agents = append(agents, telephony.Agent(mode, "inbound_voice", "VOICE_BARGE_IN", "False", "VOICE_TRANSFER_MODE", mode, "VOICE_TRANSFER_TARGETS", to))
	}
	x.Office = telephony.Open(t, telephony.Plan{Agents: agents, Set: map[string]string{
		"sip.listen":   fmt.Sprintf("tls://%s,ws://%s,udp://%s,tcp://%s,udp://%s:5060", x.tls, x.ws, x.six, x.six, x.usual),
		"sip.tls-cert": x.papers.Cert, "sip.tls-key": x.papers.Key, "sip.tls-roots": x.papers.Root,
		"egress.allow": x.md5.UDP,
	}})
	return x
}

// audible is how loud a tone has to be, in dB below the loudest a phone here sends:
// foreign ones are quieter.
const audible = -15

// hears waits until an agent has heard a foreign tone.
func (x *exchange) hears(t *testing.T, hz float64) {
	t.Helper()
	require.Eventually(t, func() bool { return x.Brain.Heard(hz) > audible }, 10*time.Second, 100*time.Millisecond, "no agent hears %v Hz", hz)
}
