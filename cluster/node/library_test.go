package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/index"
	"flametree/engine/knowledge/ingest"
	"flametree/engine/knowledge/lexis"
	"flametree/engine/knowledge/library"
	"flametree/engine/tenant"
	"flametree/persist/blob"
	"flametree/persist/readmodel"
)

// TestMain makes this binary its own child that reads files.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ingest.Command {
		os.Exit(ingest.Main(os.Args[2:], os.Stdin, os.Stdout))
	}
	os.Exit(m.Run())
}

// stacks is a librarian with a read model that a test fills.
type stacks struct {
	*librarian
	node   *Node
	t      *testing.T
	seq    map[string]uint64
	at     uint64
	anew   []string // sources that were to be indexed again
	tenant tenant.ID
}

var lexicon = sync.OnceValue(lexis.New)

func newStacks(t *testing.T) *stacks {
	t.Helper()
	blobs, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	n := &Node{model: readmodel.New(), blobs: blobs, log: slog.New(slog.DiscardHandler)}
	n.cfg.Data = t.TempDir()
	s := &stacks{t: t, seq: map[string]uint64{}, tenant: tenant.ID{1}}
	s.open(n)
	return s
}

// open makes the librarian of a node, whose life ends with the test.
func (s *stacks) open(n *Node) {
	s.t.Helper()
	n.life, n.cancel = context.WithCancel(s.t.Context())
	s.t.Cleanup(func() { n.cancel(); n.done.Wait() })
	n.casting = &casting{models: &connectors{out: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}}
	l, err := newLibrarian(n, lexicon)
	require.NoError(s.t, err)
	l.reader = reader{out: http.DefaultClient, self: []string{"/proc/self/exe"}}
	l.again = func(x readmodel.Source) { s.anew = append(s.anew, x.ID) }
	s.librarian, s.node, n.library = l, n, l
}

// restart begins anew with what is on disk and in the journal.
func (s *stacks) restart() {
	s.t.Helper()
	old := s.node
	old.cancel()
	old.done.Wait()
	n := &Node{model: old.model, blobs: old.blobs, log: old.log}
	n.cfg.Data = old.cfg.Data
	s.open(n)
}

// tell folds events of a source.
func (s *stacks) tell(source string, events ...event.Event) {
	s.t.Helper()
	require.NoError(s.t, s.model.Run(iter.Seq2[event.Envelope, error](func(yield func(event.Envelope, error) bool) {
		for _, e := range events {
			s.seq[source]++
			s.at++
			if !yield(event.Envelope{
				Position: s.at, Seq: s.seq[source], Stream: event.Stream{Tenant: s.tenant, Kind: event.SourceStream, ID: source}, Body: e,
			}, nil) {
				return
			}
		}
	})))
}

// read indexes a source of a kind as its actor would.
func (s *stacks) read(id string, born event.SourceCreated, content string) (event.SourceIndexed, error) {
	s.t.Helper()
	state := library.State{Born: born, Title: born.Title, Origin: born.Origin}
	if content != "" {
		name, _, err := s.keep(strings.NewReader(content))
		require.NoError(s.t, err)
		state.Content = library.Content{Revision: 1, Blob: name}
	}
	return s.Index(s.t.Context(), actors.Run{Tenant: s.tenant, ID: id, Source: state, Told: func(actors.Progress) {}})
}

// stand makes a text of the library that an agent searches.
func (s *stacks) stand(id, text string, agents ...string) event.SourceIndexed {
	s.t.Helper()
	born := event.SourceCreated{Type: library.Text, Title: id}
	found, err := s.read(id, born, text)
	require.NoError(s.t, err)
	found.Run, found.Revision = 1, 1
	events := []event.Event{born, event.SourceSaved{Revision: 1, Title: id, Blob: "x"}}
	for _, a := range agents {
		events = append(events, event.SourceConnected{Agent: a})
	}
	s.tell(id, append(events, event.SourceIndexing{Run: 1, Revision: 1}, found)...)
	return found
}

var berths = &agent.Spec{FAQs: []agent.FAQ{
	{Question: "How much does a berth cost?", Answer: "A berth costs 14 euros per metre and night."},
	{Question: "When is the office open?", Answer: "The office is open from 8:00 to 18:00."},
}}

// finds is what an agent with a file finds.
func (s *stacks) finds(id string, spec *agent.Spec) actors.Retriever {
	s.t.Helper()
	r, err := s.retriever(s.t.Context(), castKey{tenant: s.tenant, agent: id, revision: 1}, spec)
	require.NoError(s.t, err)
	return r
}

func found(r actors.Retriever, question string) string {
	var out []string
	for _, h := range r.Find(knowledge.Query{Text: question, K: knowledge.DefaultK, Min: knowledge.DefaultMin}) {
		out = append(out, h.Text)
	}
	return strings.Join(out, "\n")
}

func TestAnAgentWithNothingButItsFileFindsAsBefore(t *testing.T) {
	s := newStacks(t)
	s.stand("tides", "The lighthouse is 33 metres high.", "somebody else")
	r := s.finds("a", berths).(*living)
	require.Nil(t, r.joint.Load())
	plain := knowledge.Build(berths.Sources())
	for _, q := range []string{"What does a berth cost?", "When do you open?", "How high is the lighthouse?"} {
		q := knowledge.Query{Text: q, K: 6}
		require.Equal(t, plain.Find(q), r.Find(q))
	}
	require.Same(t, r, s.finds("a", berths), "revisions that know the same share it")
	s.refresh(t.Context(), s.tenant, "a")
	require.Nil(t, r.joint.Load())
}

func TestWhatAnAgentFindsChangesWhileItIsAsked(t *testing.T) {
	s := newStacks(t)
	r := s.finds("a", berths)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for range 2 {
		asking.Go(func() {
			for ctx.Err() == nil {
				if !strings.Contains(found(r, "What does a berth cost?"), "14 euros") {
					t.Error("an own entry was not found meanwhile")
					return
				}
			}
		})
	}
	for i := range 5 {
		id := fmt.Sprint("source", i)
		s.stand(id, fmt.Sprintf("Lighthouse number %d is %d metres high.", i, 30+i), "a")
		s.refresh(t.Context(), s.tenant, "a")
		require.Contains(t, found(r, fmt.Sprintf("How high is lighthouse number %d?", i)), fmt.Sprintf("%d metres", 30+i))
	}
	s.tell("source2", event.SourceDisconnected{Agent: "a"})
	s.tell("source3", event.SourceRemoved{})
	s.refresh(t.Context(), s.tenant, "a")
	for _, gone := range []string{"32 metres", "33 metres"} {
		require.NotContains(t, found(r, "How high are the lighthouses?"), gone)
	}
	stop()
	asking.Wait()
	s.prune()
	require.Len(t, s.shelves, 3, "what no agent finds is not kept in memory")
}

func TestAShelfThatIsDamagedIsIndexedAnewAndTheRestIsFound(t *testing.T) {
	s := newStacks(t)
	s.stand("good", "The lighthouse is 33 metres high.", "a")
	s.stand("bad", "The crane lifts 20 tons.", "a")
	name, _, err := s.keep(strings.NewReader("this is no shelf"))
	require.NoError(t, err)
	s.tell("bad", event.SourceIndexing{Run: 2, Revision: 1}, event.SourceIndexed{Run: 2, Revision: 1, Blob: name})
	s.shelves = make(map[string]*index.Shelf) // as after a restart
	r := s.finds("a", berths)
	s.refresh(t.Context(), s.tenant, "a")
	require.Equal(t, []string{"bad"}, s.anew, "once")
	require.Contains(t, found(r, "How high is the lighthouse?"), "33 metres")
	require.Contains(t, found(r, "What does a berth cost?"), "14 euros")
}

func TestALibrarysQuestionsArePassagesBesideThoseOfTheFile(t *testing.T) {
	s := newStacks(t)
	born := event.SourceCreated{Type: library.FAQ, Title: "Fees", Mode: library.Vector}
	got, err := s.read("fees", born, `[{"question":"What does the crane cost?","answer":"The crane costs 80 euros for each boat."}]`)
	require.NoError(t, err)
	require.Equal(t, uint32(1), got.Entries)
	got.Revision = 1
	s.tell("fees", born, event.SourceSaved{Revision: 1, Title: "Fees", Blob: "x"}, event.SourceConnected{Agent: "a"}, got)
	hits := s.finds("a", berths).Find(knowledge.Query{Text: "What does the crane cost?", K: 1})
	require.Equal(t, knowledge.Text, hits[0].Kind, "a prompt that holds the file's questions must not lose it")
	require.Equal(t, "What does the crane cost?", hits[0].Question)
	require.Equal(t, "faq:Fees", hits[0].Source)

	long := `[{"question":"What?","answer":"` + strings.Repeat("word ", knowledge.MaxTextRunes/5) + `"}]`
	_, err = s.read("long", event.SourceCreated{Type: library.FAQ, Title: "Long", Mode: library.Prompt}, long)
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "use mode vector")
}

func TestAVideoIsReadByItsCaptions(t *testing.T) {
	player := map[string]any{
		"playabilityStatus": map[string]any{"status": "OK"},
		"videoDetails":      map[string]any{"title": "How to cast a bell", "lengthSeconds": "200"},
		"captions": map[string]any{"playerCaptionsTracklistRenderer": map[string]any{"captionTracks": []map[string]any{
			{"baseUrl": "/api/timedtext?v=abcdefghijk", "languageCode": "en"},
		}}},
	}
	page, err := json.Marshal(player)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.HandleFunc("/watch", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<html><script>var ytInitialPlayerResponse = %s;</script></html>`, page)
	})
	mux.HandleFunc("/api/timedtext", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"events":[{"tStartMs":1000,"segs":[{"utf8":"Bronze melts at 950 degrees. Then it cools for three days."}]}]}`)
	})
	tube := httptest.NewServer(mux)
	defer tube.Close()
	s := newStacks(t)
	s.reader.videos, s.reader.out = tube.URL, tube.Client()
	got, err := s.read("v", event.SourceCreated{Type: library.YouTube, Title: "Bells", Origin: "https://youtu.be/abcdefghijk"}, "")
	require.NoError(t, err)
	shelf, err := s.shelf(got.Blob)
	require.NoError(t, err)
	require.Equal(t, "How to cast a bell", shelf.Sources()[0].Title)
	require.Contains(t, shelf.Sources()[0].Text, "950 degrees")

	player["playabilityStatus"] = map[string]any{"status": "LOGIN_REQUIRED", "reason": "This video is private"}
	page, err = json.Marshal(player)
	require.NoError(t, err)
	_, err = s.read("v", event.SourceCreated{Type: library.YouTube, Title: "Bells", Origin: "https://youtu.be/abcdefghijk"}, "")
	require.Error(t, err)
	t.Log(err)
}

const wares = `sku,title,description,category,price,currency,availability,product_url
C-1,Blue cup,A cup of stoneware,Kitchen > Cups,12.50,EUR,in_stock,https://shop.example/c-1
C-2,Red cup,A cup of glass,Kitchen > Cups,9.00,EUR,out_of_stock,https://shop.example/c-2
T-1,Table,An oak table,Furniture,490,EUR,preorder,https://shop.example/t-1
`

func (s *stacks) goodsIn(name, content string) (actors.Goods, error) {
	s.t.Helper()
	b, _, err := s.keep(strings.NewReader(content))
	require.NoError(s.t, err)
	return s.ownGoods(s.t.Context(), agent.Catalog{Path: name}, []event.Pair{{Key: "catalog/" + name, Value: b}})
}

func TestProductsAreFoundWithTheirLinks(t *testing.T) {
	s := newStacks(t)
	g, err := s.goodsIn("wares.csv", wares)
	require.NoError(t, err)
	text, err := g.Ask("SearchProducts", json.RawMessage(`{"query":"a blue cup","price_max":13}`))
	require.NoError(t, err)
	require.Contains(t, text, "https://shop.example/c-1")
	require.Contains(t, text, "12.50 EUR")
	require.NotContains(t, text, "Table")
	text, err = g.Ask("SearchProducts", json.RawMessage(`{"query":"a blue cup","price_max":5}`))
	require.NoError(t, err)
	require.Contains(t, text, "No product fits")
	text, err = g.Ask("GetProduct", json.RawMessage(`{"sku":"t-1"}`))
	require.NoError(t, err)
	require.Contains(t, text, "An oak table")
	_, err = g.Ask("GetProduct", json.RawMessage(`{"sku":"X"}`))
	require.ErrorIs(t, err, fault.NotFound)
	_, err = g.Ask("SearchProducts", json.RawMessage(`{"query":`))
	require.ErrorIs(t, err, fault.Invalid)
}

func TestACatalogueThatCannotBeUsedIsToldByRow(t *testing.T) {
	s := newStacks(t)
	_, err := s.goodsIn("bad.csv", wares+"B-1,,No title,Kitchen,many,EUR,in_stock,https://shop.example/b-1\n")
	require.ErrorIs(t, err, fault.Invalid)
	require.ErrorContains(t, err, "row 5")
	_, err = s.goodsIn("strange.csv", "a,b\n1,2\n")
	require.ErrorIs(t, err, fault.Invalid)
	_, err = s.goodsIn("list.json", `[{"sku":"A","title":"Cup","product_url":"https://shop.example/a","price":3}]`)
	require.NoError(t, err)
	_, err = s.ownGoods(t.Context(), agent.Catalog{Path: "unknown"}, nil)
	require.ErrorIs(t, err, fault.NotFound)
}

func TestAtMostTwoSourcesAreReadAtATime(t *testing.T) {
	s := newStacks(t)
	for range runs {
		s.busy <- struct{}{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := s.Index(ctx, actors.Run{ID: "x"})
	require.ErrorIs(t, err, fault.Cancelled, "it waits for its turn, until nobody wants it any more")
}

// Figures: what a library of some size costs where it matters.
func TestALargeLibraryIsThereAtOnce(t *testing.T) {
	s := newStacks(t)
	const sources, each = 20, 100
	begun := time.Now()
	chunks := 0
	for i := range sources {
		var b strings.Builder
		for j := range each {
			fmt.Fprintf(&b, "# Berth %d-%d\n\n", i, j)
			for k := range 60 {
				fmt.Fprintf(&b, "word%d ", (i*7919+j*104729+k*31)%5000)
			}
			fmt.Fprintf(&b, "The berth %d-%d is %d metres long.\n\n", i, j, 5+j)
		}
		chunks += int(s.stand(fmt.Sprint("s", i), b.String()[:min(b.Len(), 49_000)], "a").Chunks)
	}
	t.Logf("figure: %d passages of %d sources indexed in %v", chunks, sources, time.Since(begun).Round(time.Millisecond))
	s.shelves = make(map[string]*index.Shelf) // as after a restart
	begun = time.Now()
	r := s.finds("a", berths)
	t.Logf("figure: found again after a restart in %v", time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	s.stand("new", "The lighthouse is 33 metres high.", "a")
	s.refresh(t.Context(), s.tenant, "a")
	t.Logf("figure: one more source is found after %v", time.Since(begun).Round(time.Millisecond))
	require.Contains(t, found(r, "How high is the lighthouse?"), "33 metres")
	begun = time.Now()
	const asked = 200
	for i := range asked {
		found(r, fmt.Sprintf("How long is berth %d-%d?", i%sources, i%each))
	}
	t.Logf("figure: a question takes %v", (time.Since(begun) / asked).Round(time.Microsecond))
}

// What is listed has both a question and an answer, or a fault tells the place.
func FuzzQuestionsOfAFile(f *testing.F) {
	for _, seed := range []string{
		"- question: What?\n  answer: This.\n", "- question: What?\n", "[]", "a: b", `[{"question":"Q","answer":"A"}]`, "- - -", "- ", "-\n- ~\n", "\ufeff- {question: ä, answer: ß}", "- &a {question: x, answer: y}\n- *a\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		list, err := listed(raw, "fees.yaml")
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			require.Contains(t, err.Error(), "fees.yaml")
			return
		}
		for _, q := range list {
			require.NotEmpty(t, q.Question)
			require.NotEmpty(t, q.Answer)
		}
	})
}
