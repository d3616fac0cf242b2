package bundle

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
)

const file = `name: Shop
type: inbound_text
alias: shop
identity: You are Alex.
task: |
  Sell.
  Kindly.
knowledge:
  core: We sell hats.
  files: [prices.pdf]
tool_groups:
  - {name: CRM, env: {CRM_URL: https://crm.example, CRM_KEY: {value: canary-crm, secret: true}}}
openapi:
  - {name: Orders, document: orders.json, auth: {kind: bearer, value_env: ORDERS_TOKEN}}
env:
  ORDERS_TOKEN: {value: canary-orders, secret: true}
  OTHER_PASSWORD: canary-other
  RAG_TOP_K: 3
`

func key() string { return Key([20]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}) }

func now() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func parts() []Part {
	return []Part{
		{Group, "CRM", []byte("PK packed group")},
		{Document, "docs/../prices.pdf", bytes.Repeat([]byte("%PDF"), 1000)},
		{Integration, "orders.json", []byte("{}")},
	}
}

func export(t *testing.T, o Options) []byte {
	t.Helper()
	o.WorkFactor = 1
	sealed, err := Export(key(), file, parts(), o, now())
	require.NoError(t, err)
	return sealed
}

func TestAnAgentComesOutAsItWentIn(t *testing.T) {
	sealed := export(t, Options{})
	require.NotContains(t, string(sealed), "canary", "sealed")
	b, err := Open(strings.ToLower(key())+"\n", sealed)
	require.NoError(t, err)
	require.Equal(t, "Shop", b.Agent)
	require.Equal(t, file, b.File)
	require.Equal(t, parts(), b.Parts)
	require.Equal(t, now(), b.Made)
	require.False(t, b.Removed)
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []Part
		for i := range rapid.IntRange(0, 5).Draw(t, "parts") {
			in = append(in, Part{
				Kind: rapid.SampledFrom([]Kind{Group, Document, Integration}).Draw(t, "kind"),
				Name: fmt.Sprint(i) + rapid.StringMatching(`[a-zA-Z0-9ä./\\: -]{0,120}`).Draw(t, "name"),
				Data: rapid.SliceOfN(rapid.Byte(), 1, 50).Draw(t, "data"),
			})
		}
		text := "name: x\ntask: " + agent.Scalar(rapid.StringMatching(`[a-zA-Z:#"' \n]{0,60}`).Draw(t, "task"), 2) + "\n"
		sealed, err := Export(key(), text, in, Options{WorkFactor: 1}, now())
		if err != nil {
			t.Fatal(err)
		}
		b, err := Open(key(), sealed)
		if err != nil {
			t.Fatal(err)
		}
		if b.File != text || fmt.Sprint(b.Parts) != fmt.Sprint(in) {
			t.Fatalf("%q %v", b.File, b.Parts)
		}
	})
}

func TestSensitiveDataIsRemovedAndAskedFor(t *testing.T) {
	b, err := Open(key(), export(t, Options{RemoveSensitive: true}))
	require.NoError(t, err)
	require.True(t, b.Removed)
	require.NotContains(t, b.File, "canary")
	require.Contains(t, b.File, "RAG_TOP_K: 3")
	require.Contains(t, b.File, "https://crm.example")
	p, err := b.Plan(Have{})
	require.NoError(t, err)
	require.Equal(t, []string{"ORDERS_TOKEN", "OTHER_PASSWORD", "CRM/CRM_KEY"}, p.Reenter)
	require.Contains(t, p.Notes, "enter the values again that were left out: ORDERS_TOKEN, OTHER_PASSWORD, CRM/CRM_KEY")
}

func TestForceDecidesWhatAnImportOverwrites(t *testing.T) {
	other := func(p Part) string { return hash(append([]byte("x"), p.Data...)) }
	have := Have{Parts: map[Kind]map[string]string{}}
	for _, p := range parts() {
		have.Parts[p.Kind] = map[string]string{p.Name: other(p)}
	}
	actions := func(o Options, have Have) (out []Action) {
		b, err := Open(key(), export(t, o))
		require.NoError(t, err)
		p, err := b.Plan(have)
		require.NoError(t, err)
		for _, s := range p.Steps {
			out = append(out, s.Action)
		}
		return out
	}
	require.Equal(t, []Action{Create, Create, Create}, actions(Options{ForceSkills: true}, Have{}))
	require.Equal(t, []Action{Keep, Keep, Keep}, actions(Options{}, have))
	require.Equal(t, []Action{Overwrite, Keep, Keep}, actions(Options{ForceSkills: true}, have))
	require.Equal(t, []Action{Keep, Overwrite, Keep}, actions(Options{ForceKnowledge: true}, have))
	require.Equal(t, []Action{Keep, Keep, Overwrite}, actions(Options{ForceIntegrations: true}, have))
	have.Parts[Group]["CRM"] = parts()[0].Hash()
	require.Equal(t, []Action{Same, Keep, Keep}, actions(Options{ForceSkills: true}, have), "what is equal is left alone")
}

func TestATakenAliasIsSwitchedOff(t *testing.T) {
	b, err := Open(key(), export(t, Options{}))
	require.NoError(t, err)
	p, err := b.Plan(Have{Aliases: []string{"Shop"}})
	require.NoError(t, err)
	require.NotContains(t, p.File, "alias:")
	require.Contains(t, p.Notes, `the inbound address "shop" belongs to another agent and is switched off here`)
	p, err = b.Plan(Have{Aliases: []string{"other"}})
	require.NoError(t, err)
	require.Equal(t, file, p.File)
}

func TestWrongKeysAndDamageAreToldApart(t *testing.T) {
	sealed := export(t, Options{})
	for name, c := range map[string]struct {
		key    string
		sealed []byte
		want   fault.Kind
	}{
		"another key":      {Key([20]byte{9}), sealed, fault.Denied},
		"no key":           {" - ", sealed, fault.Denied},
		"no bundle":        {key(), []byte("PK\x03\x04"), fault.Invalid},
		"empty":            {key(), nil, fault.Invalid},
		"cut off":          {key(), sealed[:len(sealed)-1], fault.Invalid},
		"a bit flipped":    {key(), flip(sealed, len(sealed)-20), fault.Invalid},
		"header cut off":   {key(), sealed[:60], fault.Denied},
		"too large":        {key(), append(bytes.Clone(sealed), make([]byte, MaxSealed)...), fault.Exhausted},
		"work beyond ours": {key(), bytes.Replace(sealed, []byte(" 1\n"), []byte(" 30\n"), 1), fault.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(c.key, c.sealed)
			require.ErrorIs(t, err, c.want)
			require.NotContains(t, err.Error(), c.key, "no key in an error")
		})
	}
	_, err := Export("short", file, nil, Options{}, now())
	require.ErrorIs(t, err, fault.Invalid)
	_, err = Export(key(), "name: [", nil, Options{}, now())
	require.ErrorIs(t, err, fault.Invalid)
	_, err = Export(key(), file, append(parts(), parts()[0]), Options{}, now())
	require.ErrorIs(t, err, fault.Invalid)
	_, err = Export(key(), file, []Part{{Document, "a", make([]byte, MaxEntry+1)}}, Options{WorkFactor: 1}, now())
	require.ErrorIs(t, err, fault.Exhausted)
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// forged seals a ZIP that nobody's Export made.
func forged(t *testing.T, change func(m *manifest), files ...[2]string) error {
	t.Helper()
	m := manifest{Format: 1, File: hash([]byte("name: x\n"))}
	change(&m)
	list, err := json.Marshal(m)
	require.NoError(t, err)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range append([][2]string{{agentName, "name: x\n"}, {manifestName, string(list)}}, files...) {
		require.NoError(t, write(z, f[0], []byte(f[1]), now()))
	}
	require.NoError(t, z.Close())
	sealed, err := seal(key(), out.Bytes(), 1)
	require.NoError(t, err)
	_, err = Open(key(), sealed)
	return err
}

func TestForgedBundlesAreRefused(t *testing.T) {
	nothing := func(*manifest) {}
	require.NoError(t, forged(t, nothing))
	entryFor := func(path string) func(*manifest) {
		return func(m *manifest) {
			m.Contents = []entry{{Kind: Document, Name: "a", Path: path, Hash: hash([]byte("data"))}}
		}
	}
	require.NoError(t, forged(t, entryFor("documents/a"), [2]string{"documents/a", "data"}))
	for _, path := range []string{"../a", "/etc/passwd", "a/../../b", "a\\..\\b", "c:/x", "a//b", "./a", "a\x00b", ".."} {
		require.ErrorIs(t, forged(t, entryFor(path), [2]string{path, "data"}), fault.Invalid, path)
	}
	require.False(t, local("dir/"))
	require.ErrorIs(t, forged(t, entryFor("a"), [2]string{"a", "changed"}), fault.Invalid)
	require.ErrorIs(t, forged(t, entryFor("a")), fault.Invalid, "missing")
	require.ErrorIs(t, forged(t, nothing, [2]string{"extra", "x"}), fault.Invalid)
	require.ErrorIs(t, forged(t, nothing, [2]string{agentName, "name: y\n"}), fault.Invalid, "twice")
	require.ErrorIs(t, forged(t, func(m *manifest) { m.Format = 2 }), fault.Invalid)
	require.ErrorIs(t, forged(t, func(m *manifest) { m.File = "" }), fault.Invalid)
	require.ErrorIs(t, forged(t, func(m *manifest) {
		m.Contents = []entry{{Kind: "program", Name: "a", Path: "a", Hash: hash([]byte("data"))}}
	}, [2]string{"a", "data"}), fault.Invalid)

	var many [][2]string
	for i := range MaxEntries {
		many = append(many, [2]string{fmt.Sprint("f", i), ""})
	}
	require.ErrorIs(t, forged(t, nothing, many...), fault.Exhausted)
}

// A few KB that unpack to more than any file may have.
func TestAZipBombIsCutOff(t *testing.T) {
	var block bytes.Buffer
	w, err := flate.NewWriter(&block, flate.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, w.Flush()) // a block that can stand behind itself
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	raw, err := z.CreateRaw(&zip.FileHeader{Name: "documents/a", Method: zip.Deflate, UncompressedSize64: MaxEntry + 1<<20, CompressedSize64: uint64(block.Len() * (MaxEntry>>20 + 1))})
	require.NoError(t, err)
	_, err = raw.Write(bytes.Repeat(block.Bytes(), MaxEntry>>20+1))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.Less(t, out.Len(), 100<<10)
	sealed, err := seal(key(), out.Bytes(), 1)
	require.NoError(t, err)
	_, err = Open(key(), sealed)
	require.ErrorIs(t, err, fault.Exhausted)

	out.Reset()
	z = zip.NewWriter(&out)
	for i := range 5 {
		require.NoError(t, write(z, fmt.Sprint(i), make([]byte, 30), now()))
	}
	require.NoError(t, z.Close())
	_, err = unpack(out.Bytes(), limits{entry: 30, total: 150})
	require.NoError(t, err)
	_, err = unpack(out.Bytes(), limits{entry: 30, total: 149})
	require.ErrorIs(t, err, fault.Exhausted, "together they are too much")
}

func TestKeysAreWrittenByHand(t *testing.T) {
	k := Key([20]byte{255, 1})
	require.Len(t, strings.Split(k, "-"), 8)
	require.Len(t, canonical(k), 32)
	require.Equal(t, canonical(k), canonical(" "+strings.ToLower(strings.ReplaceAll(k, "-", " "))+"\r\n"))
}

func TestACopyKeepsEverythingButSecretsAndItsAddress(t *testing.T) {
	c, err := Copy(file, nil, []string{"shop"})
	require.NoError(t, err)
	s, _, err := agent.Parse([]byte(c.File))
	require.NoError(t, err)
	require.Equal(t, "Shop (copy)", s.Name)
	require.Empty(t, s.Alias)
	require.Equal(t, "Sell.\nKindly.", s.Task)
	require.Equal(t, []string{"ORDERS_TOKEN", "CRM/CRM_KEY"}, c.Reenter)
	require.NotContains(t, c.File, "canary-crm")
	require.NotContains(t, c.File, "canary-orders")
	require.Contains(t, c.File, "**********")
	require.Equal(t, []string{
		`the inbound address "shop" belongs to another agent and is switched off here`,
		"enter these values again before tools that use them can work: ORDERS_TOKEN, CRM/CRM_KEY",
	}, c.Notes)

	c, err = Copy(file, []event.Pair{{Key: "name", Value: "Hats"}, {Key: "alias", Value: "hats"}, {Key: "env", Value: "ORDERS_TOKEN: {value: again, secret: true}"}}, nil)
	require.NoError(t, err)
	s, _, err = agent.Parse([]byte(c.File))
	require.NoError(t, err)
	require.Equal(t, "Hats", s.Name)
	require.Equal(t, "hats", s.Alias)
	require.Equal(t, []string{"CRM/CRM_KEY"}, c.Reenter)

	_, err = Copy(file, []event.Pair{{Key: "type", Value: "nonsense"}}, nil)
	require.ErrorIs(t, err, fault.Invalid)
}

func FuzzOpen(f *testing.F) {
	sealed, err := Export(key(), file, parts(), Options{WorkFactor: 1}, now())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte("age-encryption.org/v1\n-> scrypt 0 99\n"))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Open(key(), b); err != nil && fault.KindOf(err) == fault.Bug {
			t.Fatal(err)
		}
	})
}

func FuzzUnpack(f *testing.F) {
	packed, err := pack(manifest{Format: 1, File: hash([]byte(file))}, file, parts(), Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, b []byte) {
		files, err := unpack(b, limits{entry: MaxEntry, total: MaxTotal})
		if err == nil {
			_, err = restore(files)
		}
		if err != nil && fault.KindOf(err) == fault.Bug {
			t.Fatal(err)
		}
	})
}

func BenchmarkExport(b *testing.B) {
	for b.Loop() {
		if _, err := Export(key(), file, parts(), Options{}, now()); err != nil {
			b.Fatal(err)
		}
	}
}
