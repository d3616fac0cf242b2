package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

func load(flags, env map[string]string, file string) (Config, error) {
	return Load(Sources{
		Flags: flags, Getenv: func(k string) string { return env[k] }, FileName: "flametree.yaml", File: []byte(file),
	})
}

func TestPrecedence(t *testing.T) {
	file := "http: 127.0.0.1:1\nsip: 127.0.0.1:1\nsession.idle: 5s\n"
	env := map[string]string{"FLAMETREE_HTTP": "127.0.0.1:2", "FLAMETREE_SIP": "127.0.0.1:2"}
	c, err := load(map[string]string{"http": "127.0.0.1:3"}, env, file)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3", c.HTTP, "a flag wins over the environment")
	require.Equal(t, "127.0.0.1:2", c.SIP, "the environment wins over the file")
	require.Equal(t, 5*time.Second, c.SessionIdle, "the file wins over the default")
	require.Equal(t, uint16(10000), c.RTPLow, "the default stands")
}

func TestFaultsAreLocated(t *testing.T) {
	tests := map[string]struct {
		flags map[string]string
		file  string
		want  string
	}{
		"unknown key":            {file: "http: off\nhtpp: off\n", want: "flametree.yaml 2:1: unknown setting \"htpp\""},
		"unknown key in a group": {file: "mail:\n  smpt: a:1\n", want: "flametree.yaml 2:3: unknown setting \"mail.smpt\""},
		"group without keys":     {file: "mail: no\n", want: "flametree.yaml 1:1: unknown setting \"mail\""},
		"nested value":           {file: "http:\n  a: b\n", want: "flametree.yaml 1:1: http: want a plain value"},
		"bad address":            {flags: map[string]string{"sip": "here"}, want: `setting sip (from flag): "here" is not an address`},
		"ports turned round":     {flags: map[string]string{"rtp": "20000-10000"}, want: "is not a range of ports"},
		"days with a unit":       {flags: map[string]string{"retention.recordings": "90d"}, want: "is not a number of days"},
		"size without unit":      {flags: map[string]string{"disk.ballast": "64"}, want: "is not a size like 64MB"},
		"negative duration":      {flags: map[string]string{"session.idle": "-5s"}, want: "is not a duration"},
		"no such level":          {flags: map[string]string{"log": "loud"}, want: "is not debug, info, warn or error"},
		"file that is no YAML":   {file: "http: [", want: "flametree.yaml"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(tt.flags, nil, tt.file)
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// Mail may stand in a group of its own; its password is shown nowhere.
func TestMailIsAGroupWithASecret(t *testing.T) {
	file := "mail: {smtp: mail.example:587, user: bot, from: Results <bot@example.com>}\nmail.tls: tls\n"
	c, err := load(nil, map[string]string{"FLAMETREE_MAIL_PASSWORD": "sesame-1234"}, file)
	require.NoError(t, err)
	require.Equal(t, Mail{Server: "mail.example:587", TLS: "tls", User: "bot", Password: "sesame-1234", From: "Results <bot@example.com>", Timeout: 90 * time.Second, Retry: time.Minute}, c.Mail)
	for _, v := range c.Values {
		require.NotContains(t, v.Text, "sesame")
		if v.Key == "mail.password" {
			require.Equal(t, Value{Setting: v.Setting, Text: "(set)", From: "environment"}, v)
		}
	}
	_, err = load(nil, nil, "mail:\n  smtp: mail.example\n  tls: yes\n  password: sesame-1234\n")
	require.ErrorContains(t, err, `setting mail.smtp (from file): "mail.example" is not HOST:PORT`)
	require.ErrorContains(t, err, `setting mail.tls (from file): "yes" is not starttls, tls or none`)
	require.NotContains(t, err.Error(), "sesame")
}

func TestEverySettingHasADefaultThatLoads(t *testing.T) {
	c, err := load(nil, nil, "")
	require.NoError(t, err)
	require.Len(t, c.Values, len(Table()))
	require.Equal(t, Space{Percent: 5, Bytes: 1 << 30}, c.DiskLow)
	require.Equal(t, int64(64<<20), c.Ballast)
}
