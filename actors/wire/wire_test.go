package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"flametree/actors"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/session"
	"flametree/engine/tenant"
)

var somebody = actors.ID{Kind: event.SessionStream, Tenant: tenant.ID{1, 2, 3, 15: 9}, Name: "01J~node"}

// fill gives every field, at every depth, a value that is not its zero.
func fill(v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, *n%60, 5000, time.UTC)))
			return
		}
		for _, f := range v.Fields() {
			fill(f, n)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), n)
		fill(v.Index(1), n)
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, n)
		fill(value, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("täxt <%d>\x00\n", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n) << 20)
	case reflect.Uint8:
		v.SetUint(uint64(*n % 200))
	case reflect.Uint32:
		v.SetUint(uint64(*n))
	case reflect.Uint64:
		v.SetUint(1<<63 + uint64(*n)) // more than a float can hold
	case reflect.Float64:
		v.SetFloat(0.1 * float64(*n))
	default:
		panic("a field that cannot cross: " + v.Type().String())
	}
}

// crossed sends an envelope over the wire, as remote does.
func crossed[M proto.Message](t *testing.T, in, out M) M {
	t.Helper()
	b, err := proto.Marshal(in)
	require.NoError(t, err)
	require.NoError(t, proto.Unmarshal(b, out))
	return out
}

func TestEveryMessageCrossesWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range table() {
		t.Run(r.name, func(t *testing.T) {
			require.False(t, seen[r.name], "the name stands twice")
			seen[r.name] = true
			n := 0
			for _, full := range []bool{false, true} {
				msg := reflect.New(r.of)
				if full {
					fill(msg.Elem(), &n)
				}
				env, err := Encode(somebody, msg.Interface())
				require.NoError(t, err)
				to, got, err := Decode(crossed(t, env, new(Envelope)))
				require.NoError(t, err)
				require.Equal(t, somebody, to)
				require.Equal(t, msg.Interface(), got)
				answer, err := DecodeAnswer(crossed(t, EncodeAnswer(7, msg.Interface()), new(Reply)))
				require.NoError(t, err)
				require.Equal(t, msg.Interface(), answer)
			}
		})
	}
}

// local lists what never crosses, and why.
var local = map[string]string{
	"Watch":    "holds a function: a socket and its session live on one node, or the socket asks there",
	"Watching": "answers a Watch",
	"Unwatch":  "ends a Watch",
	"Frame":    "goes to a Watch's function",
	"Offer":    "holds a leg and a line: a call lives where its socket is",
	"Accepted": "answers an Offer",
	"Full":     "crosses as an error",

	"Connection": "part of a CreateSource", "Progress": "part of a SourceView", "Run": "given to an Indexer", "Source": "an actor",
	"Catalog": "an actor", "OpenInvitation": "part of a CatalogView",

	"Agent": "an actor", "Call": "an actor", "Session": "an actor", "Deps": "given at birth", "CallDeps": "given at birth",
}

// TestNoMessageIsForgotten reads the source: whoever adds a message decides
// whether it crosses.
func TestNoMessageIsForgotten(t *testing.T) {
	crosses := map[string]bool{}
	for _, r := range table() {
		crosses[r.of.Name()] = true
	}
	found := 0
	for _, file := range []string{"message.go", "agent.go", "call.go", "session.go", "source.go", "catalog.go"} {
		f, err := parser.ParseFile(token.NewFileSet(), "../"+file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				s := s.(*ast.TypeSpec)
				if _, ok := s.Type.(*ast.StructType); !ok || !s.Name.IsExported() {
					continue
				}
				found++
				require.True(t, crosses[s.Name.Name] != (local[s.Name.Name] != ""),
					"%s: %s must stand in the table of package wire or in the list of those that stay local, not in both", file, s.Name.Name)
			}
		}
	}
	require.Greater(t, found, 30)
}

func TestWhatDoesNotCrossIsRefused(t *testing.T) {
	for name, msg := range map[string]any{
		"a function inside": &actors.Watch{}, "a value": actors.Look{}, "nothing": nil, "a nil pointer": (*actors.Look)(nil),
		"a stranger": &struct{}{}, "text": "look", "too much": &actors.Write{Text: string(make([]byte, MaxSize))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Encode(somebody, msg)
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
	for name, to := range map[string]actors.ID{
		"no name": {Kind: event.SessionStream}, "no kind": {Name: "x"}, "another kind": {Kind: "gate", Name: "x"},
		"a long name": {Kind: event.CallStream, Name: string(make([]byte, 1000))},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Encode(to, &actors.Look{})
			require.ErrorIs(t, err, fault.Invalid)
		})
	}
}

func TestAnEnvelopeThatCannotBeReadIsInvalid(t *testing.T) {
	good, err := Encode(somebody, &actors.End{Status: event.Completed})
	require.NoError(t, err)
	for name, spoil := range map[string]func(e *Envelope){
		"unknown type":     func(e *Envelope) { e.Type = "teleport" },
		"no type":          func(e *Envelope) { e.Type = "" },
		"another version":  func(e *Envelope) { e.Version = 2 },
		"no version":       func(e *Envelope) { e.Version = 0 },
		"short tenant":     func(e *Envelope) { e.Tenant = e.Tenant[:15] },
		"no tenant":        func(e *Envelope) { e.Tenant = nil },
		"unknown kind":     func(e *Envelope) { e.Kind = "campaign" },
		"no id":            func(e *Envelope) { e.Id = "" },
		"no bytes":         func(e *Envelope) { e.Bytes = nil },
		"half a message":   func(e *Envelope) { e.Bytes = e.Bytes[:4] },
		"another shape":    func(e *Envelope) { e.Bytes = []byte(`{"Status":7}`) },
		"a list":           func(e *Envelope) { e.Bytes = []byte(`[]`) },
		"something behind": func(e *Envelope) { e.Bytes = append(e.Bytes, "{}"...) },
	} {
		t.Run(name, func(t *testing.T) {
			e := proto.Clone(good).(*Envelope)
			spoil(e)
			_, msg, err := Decode(e)
			require.ErrorIs(t, err, fault.Invalid)
			require.Nil(t, msg)
		})
	}
	_, _, err = Decode(nil)
	require.ErrorIs(t, err, fault.Invalid)
}

func TestAFieldOfALaterReleaseIsIgnored(t *testing.T) {
	e, err := Encode(somebody, &actors.End{Status: event.Completed})
	require.NoError(t, err)
	e.Bytes = []byte(`{"Status":"completed","Reason":"new"}`)
	_, msg, err := Decode(e)
	require.NoError(t, err)
	require.Equal(t, &actors.End{Status: event.Completed}, msg)
}

func TestErrorsKeepTheirKind(t *testing.T) {
	for _, kind := range []fault.Kind{
		fault.Invalid, fault.Denied, fault.NotFound, fault.Conflict, fault.Exhausted, fault.Unavailable, fault.Cancelled, fault.Bug,
	} {
		err := fmt.Errorf("session %q: %w", "x", kind)
		_, got := DecodeAnswer(crossed(t, EncodeAnswer(1, err), new(Reply)))
		require.ErrorIs(t, got, kind)
		require.Equal(t, err.Error(), got.Error())
	}
	full := &actors.Full{Limit: 3, Daily: true, After: time.Hour}
	_, got := DecodeAnswer(crossed(t, EncodeAnswer(1, fmt.Errorf("admit: %w", full)), new(Reply)))
	require.Equal(t, full, got)
	require.ErrorIs(t, got, fault.Exhausted)
	_, got = DecodeAnswer(EncodeAnswer(1, errors.New("nobody classified this")))
	require.ErrorIs(t, got, fault.Bug)
	_, got = DecodeAnswer(EncodeAnswer(1, &actors.Watching{ID: 1}))
	require.ErrorIs(t, got, fault.Bug, "an answer that cannot cross is an error to whoever waits")
	answer, got := DecodeAnswer(EncodeAnswer(1, nil))
	require.NoError(t, got)
	require.Nil(t, answer)
	_, got = DecodeAnswer(&Reply{Type: "error", Version: 1, Bytes: []byte("no")})
	require.ErrorIs(t, got, fault.Invalid)
	_, got = DecodeAnswer(&Reply{Type: "error", Version: 1, Bytes: []byte(`{"Kind":"tired"}`)})
	require.ErrorIs(t, got, fault.Bug)
}

func FuzzDecode(f *testing.F) {
	for _, r := range table() {
		n := 0
		msg := reflect.New(r.of)
		fill(msg.Elem(), &n)
		e, err := Encode(somebody, msg.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Type, e.Version, e.Id, e.Tenant, e.Kind, e.Bytes)
	}
	f.Add("view", uint32(1), "x", make([]byte, 16), "session", []byte(`{"State":{"Open":{"Turn":1}}}`))
	f.Add("error", uint32(1), "x", []byte{}, "call", []byte(`{"Kind":"invalid","Full":{}}`))
	f.Fuzz(func(t *testing.T, typ string, version uint32, id string, tenant []byte, kind string, b []byte) {
		to, msg, err := Decode(&Envelope{Type: typ, Version: version, Id: id, Tenant: tenant, Kind: kind, Bytes: b})
		if _, err := DecodeAnswer(&Reply{Type: typ, Version: version, Bytes: b}); err != nil && fault.KindOf(err) == "" {
			t.Fatal("an error without a kind")
		}
		if err != nil {
			if !errors.Is(err, fault.Invalid) || msg != nil {
				t.Fatalf("got %v with %v", msg, err)
			}
			return
		}
		again, err := Encode(to, msg)
		if err != nil && len(b) < MaxSize/8 { // escaping makes it longer
			t.Fatalf("%#v was decoded and cannot be encoded: %v", msg, err)
		}
		if err != nil {
			return
		}
		_, same, err := Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := json.Marshal(msg)
		two, _ := json.Marshal(same)
		if string(one) != string(two) {
			t.Fatalf("%s became %s", one, two)
		}
	})
}

func BenchmarkEncodeDecode(b *testing.B) {
	msg := &actors.View{ID: "s", State: session.State{Lines: make([]session.Line, 20)}}
	b.ReportAllocs()
	for b.Loop() {
		e, err := Encode(somebody, msg)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := Decode(e); err != nil {
			b.Fatal(err)
		}
	}
}
