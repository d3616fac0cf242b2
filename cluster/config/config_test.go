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
		"unknown key":          {file: "http: off\nhtpp: off\n", want: "flametree.yaml 2:1: unknown setting \"htpp\""},
		"nested value":         {file: "http:\n  a: b\n", want: "flametree.yaml 1:1: http: want a plain value"},
		"bad address":          {flags: map[string]string{"sip": "here"}, want: `setting sip (from flag): "here" is not an address`},
		"ports turned round":   {flags: map[string]string{"rtp": "20000-10000"}, want: "is not a range of ports"},
		"size without unit":    {flags: map[string]string{"disk.ballast": "64"}, want: "is not a size like 64MB"},
		"negative duration":    {flags: map[string]string{"session.idle": "-5s"}, want: "is not a duration"},
		"no such level":        {flags: map[string]string{"log": "loud"}, want: "is not debug, info, warn or error"},
		"file that is no YAML": {file: "http: [", want: "flametree.yaml"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(tt.flags, nil, tt.file)
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestEverySettingHasADefaultThatLoads(t *testing.T) {
	c, err := load(nil, nil, "")
	require.NoError(t, err)
	require.Len(t, c.Values, len(Table()))
	require.Equal(t, Space{Percent: 5, Bytes: 1 << 30}, c.DiskLow)
	require.Equal(t, int64(64<<20), c.Ballast)
}
