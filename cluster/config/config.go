// Package config is the one table of settings of the program and the one place
// that reads them: a flag wins over the environment, the environment over
// flametree.yaml, the file over the default. It hands typed values on; nobody
// else reads the environment or the file.
package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"flametree/engine/fault"
)

// Setting is one row of the table.
type Setting struct {
	Key     string // as in flametree.yaml; FLAMETREE_ and upper case with _ for . and - in the environment
	Default string
	Help    string
}

// Env is the setting's name in the environment.
func (s Setting) Env() string {
	return "FLAMETREE_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(s.Key))
}

// Secret reports whether the setting's value is never shown.
func (s Setting) Secret() bool { return s.Key == "mail.password" }

// Table lists every setting there is.
func Table() []Setting {
	return []Setting{
		{"data", "./data", "folder of the journal, keys, recordings and everything else that is kept"},
		{"http", "127.0.0.1:8080", "address of the front door: API, sockets, pages"},
		{"sip", "127.0.0.1:5060", "address of SIP over UDP and TCP; off = no telephony"},
		{"sip.listen", "", "further addresses of SIP, comma-separated: tls://IP:PORT, ws://…, wss://…, udp://…, tcp://…"},
		{"sip.tls-cert", "", "certificate (PEM) of tls:// and wss://; read again when it changes"},
		{"sip.tls-key", "", "its key (PEM)"},
		{"sip.tls-clients", "", "file of authorities (PEM): who connects by tls:// must show a certificate of theirs"},
		{"sip.tls-roots", "", "file of authorities (PEM) that sign the servers we connect to; empty = the system's"},
		{"sip.srtp", "optional", "whether sound of calls is encrypted: off, optional (where the other end asks) or required"},
		{"sip.codecs", "opus,G722,PCMU,PCMA", "codecs, the preferred first"},
		{"sip.admit", "open", "who may call besides trunks and registrars of connections: open (everybody) or trunks (nobody)"},
		{"webrtc", "127.0.0.1:0", "address of browser calls, UDP and TCP; port 0 = a free one, off = none"},
		{"turn", "off", "address of the relay for browsers that reach webrtc no other way, UDP and TCP; off = none"},
		{"turn.tls", "off", "address of the relay's TLS, such as 192.0.2.1:443, for browsers whose network lets nothing else out; off = none"},
		{"turn.tls-cert", "", "certificate (PEM) of turn.tls, read again when it changes; empty = that of sip.tls-cert"},
		{"turn.tls-key", "", "its key (PEM)"},
		{"turn.tls-name", "", "name the certificate has, told to browsers; empty = the address they are told"},
		{"rtp", "10000-20000", "ports for RTP, LOW-HIGH; 0-0 = any free ones"},
		{"metrics", "127.0.0.1:9090", "address of metrics and profiles; off = none"},
		{"public-url", "", "how browsers reach the front door, when behind a proxy"},
		{"public-ip", "", "address written into SDP and Contact, and told to browsers, when it is not the one listened on"},
		{"log", "info", "least level that is logged: debug info warn error"},
		{"disk.low", "max(5%,1GB)", "free space below which new conversations are refused"},
		{"disk.ballast", "64MB", "file that is given up when the disk gets full"},
		{"admission.pacer-late-p99", "8ms", "lateness of RTP packets above which new calls are refused"},
		{"sip.max-calls", "auto", "calls at once; auto = by lateness alone"},
		{"session.timeout", "72h", "a conversation without customer input ends after this"},
		{"session.idle", "60s", "a conversation with nothing to do leaves memory after this"},
		{"http.max-body", "10MB", "largest request body"},
		{"egress.allow", "", "addresses host:port, comma-separated, that agents may reach though they are not public"},
		{"python.path", "/usr/bin/python3", "interpreter for tool groups; it runs under bubblewrap only"},
		{"python.workers", "64", "interpreters at once"},
		{"python.wheels", "", "folder of wheels that requirements.txt is installed from"},
		{"python.index", "", "package index that requirements.txt is installed from, where python.wheels is empty"},
		{"mail.smtp", "", "mail server, HOST:PORT, that conversation results go through; none = they are not mailed"},
		{"mail.tls", "starttls", "how the way to mail.smtp is encrypted: starttls, tls (from the first byte) or none"},
		{"mail.ca", "", "file of certificates (PEM) that may vouch for mail.smtp besides those the system trusts"},
		{"mail.user", "", "user at mail.smtp; none = without logging in"},
		{"mail.password", "", "password at mail.smtp; never shown, best given in the environment"},
		{"mail.from", "", "sender of mail, name@example.com or Name <name@example.com>"},
		{"mail.timeout", "90s", "how long one attempt to send a mail may take"},
		{"mail.retry", "1m", "a mail that could not be sent is tried again after this, then after twice as long"},
		{"retention.recordings", "90", "days that recordings of calls are kept; 0 = until somebody deletes them"},
		{"mcp.commands", "", "folder with programs that agents may start as MCP servers, in the sandbox; those below /usr always may"},
	}
}

// Config is what the settings come to.
type Config struct {
	Data           string
	HTTP           string
	SIP            string // "" = off
	Phone          Phone
	WebRTC         string // "" = off
	TURN           string // "" = off
	Relay          Relay
	RTPLow         uint16
	RTPHigh        uint16
	Metrics        string // "" = off
	PublicURL      string
	PublicIP       netip.Addr
	Log            string
	DiskLow        Space
	Ballast        int64
	PacerLate      time.Duration
	MaxCalls       int // 0 = auto
	SessionTimeout time.Duration
	SessionIdle    time.Duration
	MaxBody        int64
	Egress         []string
	Python         Python
	Commands       string
	Mail           Mail
	Retention      Retention
	Secret         func(name string) string // a variable of the process's environment that an agent's key_env names
	Values         []Value                  // every setting, where it came from
}

// Python is how tool groups run.
type Python struct {
	Path    string
	Workers int
	Wheels  string
	Index   string
}

// Phone is how SIP is spoken besides SIP's own address.
type Phone struct {
	Listen  []string // udp:// tcp:// tls:// ws:// wss:// with address:port
	Cert    string
	Key     string
	Clients string
	Roots   string
	SRTP    string // off optional required
	Codecs  []string
	Admit   string // open trunks
}

// Retention is how long what was kept stays; 0 = until somebody deletes it.
type Retention struct{ Recordings time.Duration }

// Mail is the way out for mail, as far as one setting alone can show that it is
// right: gateway/mail checks the whole.
type Mail struct {
	Server   string // "" = no mail
	TLS      string // starttls tls none
	CA       string
	User     string
	Password string
	From     string
	Timeout  time.Duration
	Retry    time.Duration
}

// Value is a setting as it was found.
type Value struct {
	Setting
	Text string // "(set)" for a secret that is set
	From string // default file environment flag
}

// Space is a floor of free space: the larger of a share of the disk and a size.
type Space struct {
	Percent float64
	Bytes   int64
}

// Sources is where values come from. File is the text of flametree.yaml, nil
// when there is none. Getenv is os.Getenv outside of tests.
type Sources struct {
	Flags    map[string]string
	Getenv   func(string) string
	FileName string
	File     []byte
}

// Load reads all settings and names every fault at once.
func Load(src Sources) (Config, error) {
	file, errs := readFile(src)
	c := Config{Secret: src.Getenv}
	for _, s := range Table() {
		v := Value{Setting: s, Text: s.Default, From: "default"}
		if t, ok := file[s.Key]; ok {
			v.Text, v.From = t, "file"
		}
		if t := src.Getenv(s.Env()); t != "" {
			v.Text, v.From = t, "environment"
		}
		if t, ok := src.Flags[s.Key]; ok {
			v.Text, v.From = t, "flag"
		}
		if err := c.set(s.Key, v.Text); err != nil {
			errs = append(errs, fmt.Errorf("setting %s (from %s): %w", s.Key, v.From, err))
		}
		if s.Secret() && v.Text != "" {
			v.Text = "(set)"
		}
		c.Values = append(c.Values, v)
	}
	if len(errs) > 0 {
		return Config{}, fmt.Errorf("%w: %w", fault.Invalid, errors.Join(errs...))
	}
	return c, nil
}

func readFile(src Sources) (map[string]string, []error) {
	out := make(map[string]string)
	if len(src.File) == 0 {
		return out, nil
	}
	f, err := parser.ParseBytes(src.File, 0)
	if err != nil {
		return nil, []error{fmt.Errorf("%s: %s", src.FileName, yaml.FormatError(err, false, false))}
	}
	known := make(map[string]bool)
	for _, s := range Table() {
		known[s.Key] = true
	}
	var errs []error
	for _, d := range f.Docs {
		switch body := d.Body.(type) {
		case nil:
		case *ast.MappingNode:
			for _, kv := range body.Values {
				errs = append(errs, readPair(src.FileName, "", kv, known, out)...)
			}
		case *ast.MappingValueNode:
			errs = append(errs, readPair(src.FileName, "", body, known, out)...)
		default:
			errs = append(errs, fmt.Errorf("%s: want a mapping of settings", src.FileName))
		}
	}
	return out, errs
}

// readPair reads one setting, or several that stand below the part of their
// keys before a dot: "mail: {smtp: …}" is "mail.smtp: …".
func readPair(name, above string, kv *ast.MappingValueNode, known map[string]bool, out map[string]string) []error {
	key := above + kv.Key.String()
	at := kv.Key.GetToken().Position
	if inner := below(key, kv.Value, known); inner != nil {
		var errs []error
		for _, v := range inner {
			errs = append(errs, readPair(name, key+".", v, known, out)...)
		}
		return errs
	}
	if !known[key] {
		return []error{fmt.Errorf("%s %d:%d: unknown setting %q (see config explain)", name, at.Line, at.Column, key)}
	}
	var text string
	if err := yaml.NodeToValue(kv.Value, &text); err != nil {
		return []error{fmt.Errorf("%s %d:%d: %s: want a plain value", name, at.Line, at.Column, key)}
	}
	out[key] = text
	return nil
}

// below are the settings of a group, nil when key is none.
func below(key string, value ast.Node, known map[string]bool) []*ast.MappingValueNode {
	group := false
	for k := range known {
		group = group || strings.HasPrefix(k, key+".")
	}
	if known[key] || !group {
		return nil
	}
	switch v := value.(type) {
	case *ast.MappingNode:
		return v.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{v}
	}
	return nil
}

func (c *Config) set(key, text string) (err error) {
	switch key {
	case "data":
		c.Data = text
	case "http":
		c.HTTP, err = address(text)
	case "sip":
		c.SIP, err = address(text)
	case "sip.listen", "sip.tls-cert", "sip.tls-key", "sip.tls-clients", "sip.tls-roots", "sip.srtp", "sip.codecs", "sip.admit":
		err = c.Phone.set(key, text)
	case "webrtc":
		c.WebRTC, err = address(text)
	case "turn":
		c.TURN, err = address(text)
	case "turn.tls", "turn.tls-cert", "turn.tls-key", "turn.tls-name":
		err = c.Relay.set(key, text)
	case "metrics":
		c.Metrics, err = address(text)
	case "rtp":
		c.RTPLow, c.RTPHigh, err = ports(text)
	case "public-url":
		c.PublicURL = strings.TrimSuffix(text, "/")
	case "public-ip":
		if text != "" {
			c.PublicIP, err = netip.ParseAddr(text)
		}
	case "log":
		c.Log = text
		if text != "debug" && text != "info" && text != "warn" && text != "error" {
			err = fmt.Errorf("%q is not debug, info, warn or error", text)
		}
	default:
		err = c.setLimit(key, text)
	}
	return err
}

func (c *Config) setLimit(key, text string) (err error) {
	switch key {
	case "disk.low":
		c.DiskLow, err = space(text)
	case "disk.ballast":
		c.Ballast, err = size(text)
	case "admission.pacer-late-p99":
		c.PacerLate, err = duration(text)
	case "sip.max-calls":
		if text != "auto" {
			c.MaxCalls, err = strconv.Atoi(text)
		}
	case "session.timeout":
		c.SessionTimeout, err = duration(text)
	case "session.idle":
		c.SessionIdle, err = duration(text)
	case "http.max-body":
		c.MaxBody, err = size(text)
	default:
		err = c.setTools(key, text)
	}
	return err
}

func (c *Config) setTools(key, text string) (err error) {
	switch key {
	case "egress.allow":
		for a := range strings.SplitSeq(text, ",") {
			if a = strings.TrimSpace(a); a == "" {
				continue
			}
			if _, _, err := net.SplitHostPort(a); err != nil {
				return fmt.Errorf("%q is not host:port", a)
			}
			c.Egress = append(c.Egress, a)
		}
	case "python.path":
		c.Python.Path = text
	case "python.workers":
		if c.Python.Workers, err = strconv.Atoi(text); err == nil && (c.Python.Workers < 1 || c.Python.Workers > 4096) {
			err = fmt.Errorf("%q is not between 1 and 4096", text)
		}
	case "python.wheels":
		c.Python.Wheels = text
	case "python.index":
		c.Python.Index = text
	case "mcp.commands":
		c.Commands = text
	case "retention.recordings":
		c.Retention.Recordings, err = days(text)
	default:
		err = c.setMail(key, text)
	}
	return err
}

func (c *Config) setMail(key, text string) (err error) {
	switch key {
	case "mail.smtp":
		if _, _, err := net.SplitHostPort(text); text != "" && err != nil {
			return fmt.Errorf("%q is not HOST:PORT like smtp.example.com:587", text)
		}
		c.Mail.Server = text
	case "mail.tls":
		if c.Mail.TLS = text; text != "starttls" && text != "tls" && text != "none" {
			err = fmt.Errorf("%q is not starttls, tls or none", text)
		}
	case "mail.ca":
		c.Mail.CA = text
	case "mail.user":
		c.Mail.User = text
	case "mail.password":
		c.Mail.Password = text
	case "mail.from":
		c.Mail.From = text
	case "mail.timeout":
		c.Mail.Timeout, err = duration(text)
	case "mail.retry":
		c.Mail.Retry, err = duration(text)
	default:
		panic("a setting of the table that nobody reads: " + key)
	}
	return err
}

func address(text string) (string, error) {
	if text == "off" || text == "" {
		return "", nil
	}
	if strings.HasPrefix(text, ":") {
		text = "0.0.0.0" + text
	}
	if _, err := netip.ParseAddrPort(text); err != nil {
		return "", fmt.Errorf("%q is not an address like 127.0.0.1:8080", text)
	}
	return text, nil
}

func ports(text string) (low, high uint16, err error) {
	a, b, ok := strings.Cut(text, "-")
	l, err1 := strconv.ParseUint(a, 10, 16)
	h, err2 := strconv.ParseUint(b, 10, 16)
	if !ok || err1 != nil || err2 != nil || h < l || (l == 0) != (h == 0) {
		return 0, 0, fmt.Errorf("%q is not a range of ports like 10000-20000", text)
	}
	return uint16(l), uint16(h), nil
}

func duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration like 90s or 8ms", text)
	}
	return d, nil
}

// days reads a number of days, up to a hundred years.
func days(text string) (time.Duration, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 36500 {
		return 0, fmt.Errorf("%q is not a number of days from 0 to 36500", text)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

func size(text string) (int64, error) {
	units := []struct {
		suffix string
		by     int64
	}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"kB", 1 << 10}, {"KB", 1 << 10}, {"B", 1}}
	for _, u := range units {
		if n, ok := strings.CutSuffix(text, u.suffix); ok {
			v, err := strconv.ParseInt(strings.TrimSpace(n), 10, 32)
			if err == nil && v >= 0 {
				return v * u.by, nil
			}
			break
		}
	}
	return 0, fmt.Errorf("%q is not a size like 64MB", text)
}

func space(text string) (Space, error) {
	inner, ok := strings.CutPrefix(text, "max(")
	if !ok {
		n, err := size(text)
		return Space{Bytes: n}, err
	}
	share, bytes, _ := strings.Cut(strings.TrimSuffix(inner, ")"), ",")
	p, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(share), "%"), 64)
	n, err2 := size(strings.TrimSpace(bytes))
	if err != nil || err2 != nil || p < 0 || p > 100 {
		return Space{}, fmt.Errorf("%q is not like max(5%%,1GB)", text)
	}
	return Space{Percent: p, Bytes: n}, nil
}
