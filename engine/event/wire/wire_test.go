package wire_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/event/wire"
	"flametree/engine/fault"
	"flametree/engine/tenant"
)

var add = flag.Bool("add", false, "write samples of kinds that have none; a sample that exists is never touched")

// ring is one fixed key. Its nonces count up, so that what is sealed with it is
// the same in every run.
type ring struct {
	aead    cipher.AEAD
	n       byte
	gone    bool
	subject string // the last one asked for
}

func newRing(t require.TestingT) *ring {
	block, err := aes.NewCipher([]byte("0123456789abcdef0123456789abcdef"))
	require.NoError(t, err)
	aead, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return &ring{aead: aead}
}

func (r *ring) SealKey(_ tenant.ID, subject string) (wire.Key, error) {
	r.subject = subject
	return wire.Key{ID: 42, AEAD: r.aead}, nil
}

func (r *ring) Nonce(b []byte) {
	r.n++
	b[len(b)-1] = r.n
}

func (r *ring) OpenKey(_ tenant.ID, _ string, id uint64) (cipher.AEAD, bool, error) {
	return r.aead, !r.gone && id == 42, nil
}

func envelope(body event.Event) event.Envelope {
	return event.Envelope{
		ID:     event.ID{0: 1, 15: 2},
		Stream: event.Stream{Tenant: tenant.ID{0: 7, 15: 8}, Kind: event.SessionStream, ID: "01ARYZ6S410000000000000000"},
		Seq:    5, Time: time.Date(2026, 11, 22, 10, 11, 12, 131415000, time.UTC), Epoch: 3,
		Cause: event.ID{0: 9}, Subject: "contact-1", Body: body,
	}
}

// view is how a person reads a sample.
func view(t testing.TB, env event.Envelope) []byte {
	t.Helper()
	b, err := json.MarshalIndent(struct {
		Kind     event.Kind
		Envelope event.Envelope
	}{env.Body.Kind(), env}, "", "  ")
	require.NoError(t, err)
	return append(b, '\n')
}

// declared reads the kinds out of the source of engine/event.
func declared(t *testing.T) []event.Kind {
	t.Helper()
	files, err := filepath.Glob("../*.go")
	require.NoError(t, err)
	var kinds []event.Kind
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			fn, ok := n.(*ast.FuncDecl)
			if !ok || fn.Name.Name != "Kind" || fn.Recv == nil {
				return true
			}
			lit := fn.Body.List[0].(*ast.ReturnStmt).Results[0].(*ast.BasicLit)
			kind, err := strconv.Unquote(lit.Value)
			require.NoError(t, err)
			kinds = append(kinds, event.Kind(kind))
			return true
		})
	}
	slices.Sort(kinds)
	return kinds
}

func TestEveryKindIsMapped(t *testing.T) {
	mapped := wire.Kinds()
	slices.Sort(mapped)
	require.Equal(t, declared(t), mapped)
}

func TestEverySampleSetsEveryField(t *testing.T) {
	for _, e := range samples() {
		requireNoZero(t, string(e.Kind()), reflect.ValueOf(e))
	}
}

func requireNoZero(t *testing.T, where string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		require.False(t, v.IsNil(), where)
		requireNoZero(t, where, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Erased" {
				requireNoZero(t, where+"."+name, v.Field(i))
			}
		}
	case reflect.Slice:
		require.NotZero(t, v.Len(), where)
		requireNoZero(t, where+"[0]", v.Index(0))
	default:
		require.False(t, v.IsZero(), where)
	}
}

func TestFrozenSamplesDecodeForEver(t *testing.T) {
	have := map[event.Kind]event.Event{}
	for _, e := range samples() {
		have[e.Kind()] = e
	}
	for _, kind := range declared(t) {
		t.Run(string(kind), func(t *testing.T) {
			require.Contains(t, have, kind, "no sample in samples_test.go")
			bin := filepath.Join("testdata", string(kind)+".bin")
			if _, err := os.Stat(bin); *add && os.IsNotExist(err) {
				write(t, bin, have[kind])
			}
			stored, err := os.ReadFile(bin)
			require.NoError(t, err, "run the test once with -add")
			text, err := os.ReadFile(filepath.Join("testdata", string(kind)+".json"))
			require.NoError(t, err)
			env, err := wire.Decode(stored, newRing(t))
			require.NoError(t, err)
			require.Equal(t, envelope(have[kind]), env)
			require.Equal(t, string(text), string(view(t, env)))
		})
	}
}

func write(t *testing.T, bin string, e event.Event) {
	t.Helper()
	b, err := wire.Encode(envelope(e), newRing(t))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(bin, b, 0o600))
	require.NoError(t, os.WriteFile(bin[:len(bin)-3]+"json", view(t, envelope(e)), 0o600))
}

func TestWhatIsPrivateIsNotReadable(t *testing.T) {
	texts := 0
	for _, e := range samples() {
		b, err := wire.Encode(envelope(e), newRing(t))
		require.NoError(t, err)
		eachPrivate(reflect.ValueOf(e), func(p event.Private) {
			if len(p.Text) > 3 { // shorter ones are found by chance
				texts++
				require.False(t, bytes.Contains(b, []byte(p.Text)), "%s shows %q", e.Kind(), p.Text)
			}
		})
	}
	require.Greater(t, texts, 20)
}

func eachPrivate(v reflect.Value, f func(event.Private)) {
	if p, ok := reflect.TypeAssert[event.Private](v); ok {
		f(p)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		eachPrivate(v.Elem(), f)
	case reflect.Struct:
		for _, field := range v.Fields() {
			eachPrivate(field, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachPrivate(v.Index(i), f)
		}
	}
}

func TestAKeyThatIsGoneReadsAsErased(t *testing.T) {
	for _, e := range samples() {
		b, err := wire.Encode(envelope(e), newRing(t))
		require.NoError(t, err)
		for name, o := range map[string]wire.Opener{"forgotten": &ring{gone: true}, "no keys at all": nil} {
			env, err := wire.Decode(b, o)
			require.NoError(t, err, name)
			eachPrivate(reflect.ValueOf(env.Body), func(p event.Private) {
				require.Equal(t, event.Private{Erased: p.Erased}, p, name)
			})
			again, err := wire.Encode(env, newRing(t))
			require.NoError(t, err)
			back, err := wire.Decode(again, newRing(t))
			require.NoError(t, err)
			require.Equal(t, env, back, "what was erased stays erased when it is stored again")
		}
	}
}

func TestEmptyAndMissingFieldsStayWhatTheyWere(t *testing.T) {
	empty, none := event.Private{}, ""
	for name, e := range map[string]event.Event{
		"nothing updated":     event.SessionUpdated{},
		"updated to empty":    event.SessionUpdated{Name: &empty, Language: &none},
		"an empty argument":   event.SessionCreated{Args: []event.Private{{}, event.P("x"), {}, {Erased: true}}},
		"an empty pair":       event.SessionCreated{Kwargs: []event.PrivatePair{{}}},
		"an empty tool call":  event.ToolCalled{},
		"no calls, no result": event.ModelAnswered{},
		"negative durations":  event.CallHeld{Offset: -time.Second},
		"an empty input":      event.CallInputs{Inputs: []event.TurnInput{{}}},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := wire.Encode(envelope(e), newRing(t))
			require.NoError(t, err)
			env, err := wire.Decode(b, newRing(t))
			require.NoError(t, err)
			require.Equal(t, envelope(e), env)
		})
	}
}

func TestSealedTextOpensOnlyAtItsPlace(t *testing.T) {
	env := envelope(event.ResultSet{Field: "name", Value: event.P("Aruzhan")})
	b, err := wire.Encode(env, newRing(t))
	require.NoError(t, err)
	for name, moved := range map[string][]byte{
		"another tenant": bytes.Replace(b, env.Stream.Tenant[:], make([]byte, 16), 1),
		"another stream": bytes.Replace(b, []byte(env.Stream.ID), []byte("01ARYZ6S410000000000000001"), 1),
		"another kind":   bytes.Replace(b, []byte("session"), []byte("sessiom"), 1),
		"another seq":    bytes.Replace(b, []byte{6 << 3, 5}, []byte{6 << 3, 6}, 1),
	} {
		require.NotEqual(t, b, moved, name)
		_, err := wire.Decode(moved, newRing(t))
		require.ErrorIs(t, err, fault.Invalid, name)
	}
}

func TestBadEventsAreRefused(t *testing.T) {
	private := envelope(event.ResultSet{Value: event.P("x")})
	private.Subject = ""
	_, err := wire.Encode(private, newRing(t))
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "without a subject")
	_, err = wire.Encode(event.Envelope{}, newRing(t))
	require.ErrorIs(t, err, fault.Invalid)

	b, err := wire.Encode(envelope(event.AgentStarted{}), newRing(t))
	require.NoError(t, err)
	b = bytes.Replace(b, []byte("agent.started.v1"), []byte("agent.starred.v7"), 1)
	_, err = wire.Decode(b, newRing(t))
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, `"agent.starred.v7"`)
	_, err = wire.Decode(nil, newRing(t))
	require.ErrorIs(t, err, fault.Invalid)
}

func TestEnvelopeRoundTrip(t *testing.T) {
	all := samples()
	rapid.Check(t, func(t *rapid.T) {
		env := envelope(rapid.SampledFrom(all).Draw(t, "event"))
		env.Stream.ID = rapid.String().Draw(t, "stream")
		env.Stream.Kind = event.StreamKind(rapid.String().Draw(t, "kind"))
		env.Seq, env.Epoch = rapid.Uint64().Draw(t, "seq"), rapid.Uint64().Draw(t, "epoch")
		env.Subject = rapid.StringN(1, -1, -1).Draw(t, "subject")
		env.Time = time.UnixMicro(rapid.Int64Range(0, 1<<50).Draw(t, "µs")).UTC()
		r := newRing(t)
		finer := env
		finer.Time = env.Time.Add(999).In(time.FixedZone("", 3600))
		b, err := wire.Encode(finer, r)
		require.NoError(t, err)
		back, err := wire.Decode(b, r)
		require.NoError(t, err)
		require.Equal(t, env, back)
	})
}

func FuzzDecode(f *testing.F) {
	for _, e := range samples() {
		b, err := wire.Encode(envelope(e), newRing(f))
		require.NoError(f, err)
		f.Add(b)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		env, err := wire.Decode(b, newRing(t))
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		// What decodes can be stored again and reads the same.
		if env.Subject == "" {
			env.Subject = "somebody"
		}
		again, err := wire.Encode(env, newRing(t))
		require.NoError(t, err)
		back, err := wire.Decode(again, newRing(t))
		require.NoError(t, err)
		requireSame(t, env, back)
	})
}

// requireSame compares as text, where NaN equals NaN.
func requireSame(t *testing.T, want, got event.Envelope) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		require.Equal(t, asText(want), asText(got))
	}
}

func asText(env event.Envelope) string {
	return string(env.Body.Kind()) + strconv.Quote(reflectText(reflect.ValueOf(env)))
}

func reflectText(v reflect.Value) string {
	var b bytes.Buffer
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for _, field := range v.Fields() {
				walk(field)
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Float64:
			b.WriteString(strconv.FormatFloat(v.Float(), 'g', -1, 64))
		case reflect.String:
			b.WriteString(strconv.Quote(v.String()))
		case reflect.Bool:
			b.WriteString(strconv.FormatBool(v.Bool()))
		default:
			if v.CanInt() {
				b.WriteString(strconv.FormatInt(v.Int(), 10))
			} else if v.CanUint() {
				b.WriteString(strconv.FormatUint(v.Uint(), 10))
			}
		}
		b.WriteByte(';')
	}
	walk(v)
	return b.String()
}

func BenchmarkEncode(b *testing.B) {
	env, r := envelope(event.MessageReceived{Turn: 1, Message: "m", Text: event.P("how much does a new debit card cost?")}), newRing(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Encode(env, r); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	r := newRing(b)
	raw, err := wire.Encode(envelope(event.MessageReceived{Turn: 1, Message: "m", Text: event.P("how much does a new debit card cost?")}), r)
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.Decode(raw, r); err != nil {
			b.Fatal(err)
		}
	}
}
