package guard_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"

	"flametree/media/sip/guard"
)

// good is a request each test breaks in one place.
const good = "INVITE sip:bank@example.com SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKa\r\n" +
	"Max-Forwards: 70\r\n" +
	"From: \"Al\" <sip:al@example.com>;tag=1\r\n" +
	"To: <sip:bank@example.com>\r\n" +
	"Call-ID: c1@192.0.2.9\r\n" +
	"CSeq: 1 INVITE\r\n" +
	"Contact: <sip:al@192.0.2.9>\r\n" +
	"Content-Type: application/sdp\r\n" +
	"Content-Length: 4\r\n\r\nv=0\n"

func swap(old, new string) string {
	out := strings.Replace(good, old, new, 1)
	if out == good {
		panic("nothing to replace: " + old)
	}
	return out
}

// Each breach of the grammar is refused with a phrase that says what is wrong.
func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct{ raw, want string }{
		"method with a colon":       {swap("INVITE sip", "INV:TE sip"), "400 Malformed method"},
		"two spaces":                {swap("INVITE sip", "INVITE  sip"), "400 Request line is not"},
		"version of the future":     {swap("SIP/2.0\r\nVia", "SIP/2.1\r\nVia"), "505 Version Not Supported"},
		"version without a dot":     {swap("SIP/2.0\r\nVia", "SIP/2\r\nVia"), "400 Malformed SIP version"},
		"other scheme":              {swap("sip:bank@example.com SIP", "h323:bank SIP"), "416 Unsupported URI Scheme"},
		"no scheme":                 {swap("sip:bank@example.com SIP", "bank@example.com SIP"), "400 Request-URI: URI without a scheme"},
		"bad escape":                {swap("sip:bank@example.com SIP", "sip:b%4@example.com SIP"), "400 Request-URI: malformed escape"},
		"no host":                   {swap("sip:bank@example.com SIP", "sip:bank@ SIP"), "400 Request-URI: malformed host"},
		"port too high":             {swap("sip:bank@example.com SIP", "sip:bank@example.com:70000 SIP"), "400 Request-URI: malformed host"},
		"two at signs":              {swap("sip:bank@example.com SIP", "sip:a@b@c SIP"), "400 Request-URI: more than one @"},
		"open bracket":              {swap("sip:bank@example.com SIP", "sip:bank@[::1 SIP"), "400 Request-URI: malformed host"},
		"headers in the uri":        {swap("sip:bank@example.com SIP", "sip:bank@example.com?a=b SIP"), "400 Request-URI: headers are not allowed"},
		"empty uri parameter":       {swap("sip:bank@example.com SIP", "sip:bank@example.com;;x SIP"), "400 Request-URI: empty parameter"},
		"via without a host":        {swap("192.0.2.9:5060;branch", ";branch"), "400 Via: malformed"},
		"via of two parts":          {swap("SIP/2.0/UDP", "SIP/UDP"), "400 Via: malformed protocol"},
		"via with an empty value":   {swap("branch=z9hG4bKa", "branch="), "400 Via: malformed parameter value"},
		"no via":                    {swap("Via: ", "Vya: "), "400 Missing Via header"},
		"no call-id":                {swap("Call-ID: ", "Call-Id-x: "), "400 Missing Call-ID header"},
		"two from":                  {swap("To: ", "From: <sip:b@c>\r\nTo: "), "400 More than one From header"},
		"two from, one compact":     {swap("To: ", "f: <sip:b@c>\r\nTo: "), "400 More than one From header"},
		"unbalanced quotes":         {swap("\"Al\"", "\"Al"), "400 From: unbalanced quotes"},
		"quote escaped to the end":  {swap("\"Al\"", "\"Al\\\""), "400 From: unbalanced quotes"},
		"name and no address":       {swap("\"Al\" <sip:al@example.com>", "\"Al\""), "400 From: no address"},
		"bracket not closed":        {swap("<sip:al@example.com>", "<sip:al@example.com"), "400 From: angle bracket not closed"},
		"comma in a display name":   {swap("\"Al\"", "Bell, Al"), "400 From: display name must be quoted"},
		"text behind the address":   {swap("<sip:al@example.com>;", "<sip:al@example.com>x;"), "400 From: unexpected text"},
		"space in the brackets":     {swap("<sip:al@example.com>", "< sip:al@example.com>"), "400 From: URI without a scheme"},
		"empty from":                {swap("\"Al\" <sip:al@example.com>;tag=1", ""), "400 From is empty"},
		"bare question mark":        {swap("Contact: <sip:al@192.0.2.9>", "Contact: sip:al@192.0.2.9?x=y"), "400 Contact: address needs angle brackets"},
		"empty parameters":          {swap("Contact: <sip:al@192.0.2.9>", "Contact: <sip:al@192.0.2.9>;;"), "400 Contact: empty or malformed parameter"},
		"space in call-id":          {swap("c1@192.0.2.9", "c1 @192.0.2.9"), "400 Malformed Call-ID"},
		"sequence too high":         {swap("CSeq: 1 ", "CSeq: 2147483648 "), "400 CSeq is not a number"},
		"sequence of words":         {swap("CSeq: 1 ", "CSeq: one "), "400 CSeq is not a number"},
		"other method":              {swap("1 INVITE", "1 OPTIONS"), "400 CSeq method does not match"},
		"method in lower case":      {swap("1 INVITE", "1 invite"), "400 CSeq method does not match"},
		"too many hops":             {swap("Forwards: 70", "Forwards: 256"), "400 Max-Forwards"},
		"negative length":           {swap("Length: 4", "Length: -4"), "400 Content-Length is not a number"},
		"length beyond the end":     {swap("Length: 4", "Length: 5"), "400 Content-Length 5 but 4 bytes of body"},
		"malformed type":            {swap("application/sdp", "application"), "400 Malformed Content-Type"},
		"line without a colon":      {swap("Max-Forwards: 70", "Max-Forwards 70"), "400 Header line 2 has no colon"},
		"space in a header name":    {swap("Max-Forwards: 70", "Max Forwards: 70"), "400 Header line 2 has a malformed name"},
		"bare line feed":            {swap("Forwards: 70\r\n", "Forwards: 70\n"), "400 Header line 2 holds a bare CR or LF"},
		"header never ends":         {good[:strings.Index(good, "\r\n\r\n")+2], "400 No empty line after the header"},
		"header cut in a line":      {good[:strings.Index(good, "Contact")+5], "400 Header line 7 has no CRLF"},
		"more headers than needed":  {swap("To: ", strings.Repeat("X: y\r\n", 260)+"To: "), "400 More than 256 header lines"},
		"not sip":                   {"GET / HTTP/1.1\r\n\r\n", "drop: not SIP"},
		"no line at all":            {strings.Repeat("x", 100), "drop: no start line"},
		"malformed acknowledgement": {strings.ReplaceAll(swap("Length: 4", "Length: -4"), "INVITE", "ACK"), "drop: Content-Length"},
		"status of four digits":     {swap("INVITE sip:bank@example.com SIP/2.0", "SIP/2.0 2000 OK"), "drop: Status code"},
		"malformed response":        {swap("INVITE sip:bank@example.com SIP/2.0\r\nVia: ", "SIP/2.0 200 OK\r\nVya: "), "drop: Missing Via"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := guard.Parse([]byte(test.raw))
			require.Error(t, err)
			require.Contains(t, err.Error(), test.want)
			var r *guard.Refusal
			require.True(t, errors.As(err, &r))
		})
	}
}

// What is spelled in an unusual but lawful way reaches the parser in the usual one.
func TestCanonicalSpelling(t *testing.T) {
	raw := "INVITE sip:bank@example.com SIP/2.0\r\n" +
		"v :  SIP / 2.0\r\n /UDP   192.0.2.9 : 5060 ;\r\n\tBranch = z9hG4bKa ; RPORT, SIP/2.0/TCP  a.example.com\r\n" +
		"f: Al   Bell <sip:al@example.com> ; TAG = 1 ; x=\" ;tag = \"\r\n" +
		"TO :\r\n sip:bank@example.com ;   tag    = 2\r\n" +
		"i: c1\r\ncseq: 0009\r\n  INVITE\r\n" +
		"m: \"a \\\" <b>\" <sip:al@192.0.2.9;x=y> ; q = 0.3 , <sip:other@192.0.2.9>\r\n" +
		"record-route: \"p\" <sip:p1;lr>, <sip:p2;lr>\r\n" +
		"k: timer\r\nMax-Forwards: 0068\r\nc: application / sdp ; a = b\r\n\r\nv=0\r\n"
	msg, err := guard.Parse([]byte(raw))
	require.NoError(t, err)
	req := msg.(*sip.Request)
	branch, _ := req.Via().Params.Get("branch")
	require.Equal(t, "z9hG4bKa", branch)
	require.True(t, req.Via().Params.Has("rport"))
	require.Equal(t, "192.0.2.9", req.Via().Host)
	require.Equal(t, 5060, req.Via().Port)
	require.Len(t, req.GetHeaders("via"), 2)
	from, _ := req.From().Params.Get("tag")
	to, _ := req.To().Params.Get("tag")
	require.Equal(t, []string{"1", "2"}, []string{from, to})
	require.Equal(t, "Al Bell", req.From().DisplayName)
	require.Equal(t, uint32(9), req.CSeq().SeqNo)
	require.Equal(t, "sip:al@192.0.2.9;x=y", req.Contact().Address.String())
	require.Len(t, req.GetHeaders("record-route"), 2)
	require.NotNil(t, req.GetHeader("supported"))
	require.Equal(t, "application/sdp;a=b", req.ContentType().Value())
	require.Equal(t, "v=0\r\n", string(req.Body()), "without Content-Length the body reaches to the end")
}

// Octets behind the body are not part of the message, and nothing of the buffer is kept.
func TestBodyIsCutAndCopied(t *testing.T) {
	raw := []byte(good + "INVITE sip:trailing")
	msg, err := guard.Parse(raw)
	require.NoError(t, err)
	for i := range raw {
		raw[i] = 'x'
	}
	require.Equal(t, "v=0\n", string(msg.Body()))
	require.Equal(t, "c1@192.0.2.9", msg.CallID().Value())
}

// The answer to what was refused carries what could be read, and nothing is
// answered that must not be.
func TestReply(t *testing.T) {
	source := netip.MustParseAddrPort("198.51.100.4:40000")
	answer, to := guard.Reply([]byte(swap("CSeq: 1 ", "CSeq: x ")), &guard.Refusal{Code: 400, Reason: "CSeq"}, source)
	require.Equal(t, "SIP/2.0 400 CSeq\r\n"+
		"Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKa;received=198.51.100.4\r\n"+
		"From: \"Al\" <sip:al@example.com>;tag=1\r\nTo: <sip:bank@example.com>;tag=refused\r\n"+
		"Call-ID: c1@192.0.2.9\r\nCSeq: x INVITE\r\nContent-Length: 0\r\n\r\n", string(answer))
	require.Equal(t, "198.51.100.4:5060", to.String())

	answer, to = guard.Reply([]byte(swap("branch=z9hG4bKa", ";;")), &guard.Refusal{Code: 400, Reason: "Via"}, source)
	require.Contains(t, string(answer), "Via: SIP/2.0/UDP 192.0.2.9:5060;;;\r\n")
	require.Equal(t, source, to, "a Via nobody can read leads back to the source")

	for name, raw := range map[string]string{
		"an acknowledgement": strings.ReplaceAll(good, "INVITE", "ACK"),
		"a response":         swap("INVITE sip:bank@example.com SIP/2.0", "SIP/2.0 200 OK"),
		"no via":             swap("Via", "Vya"),
		"noise":              "\x00\x01\x02",
	} {
		answer, _ = guard.Reply([]byte(raw), &guard.Refusal{Code: 400, Reason: "x"}, source)
		require.Nil(t, answer, name)
	}
}

// The guard may cost little beside the parser.
func BenchmarkParse(b *testing.B) {
	raw := []byte(good)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := guard.Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}

// The parser alone, for comparison.
func BenchmarkParserAlone(b *testing.B) {
	raw := []byte(good)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sip.ParseMessage(raw); err != nil {
			b.Fatal(err)
		}
	}
}
