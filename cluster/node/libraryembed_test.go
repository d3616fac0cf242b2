package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/fault"
	"flametree/engine/knowledge"
	"flametree/engine/knowledge/library"
	"flametree/engine/provider/vendortest"
)

// meanings is a server of embeddings that knows a few words of three languages,
// behind the strict server that knows the published form. Each meaning is a
// dimension; what else a text says adds a little to the last ones.
type meanings struct {
	*vendortest.Server
	dim int

	mu       sync.Mutex
	texts    []string      // embedded, without those of probes
	requests [][]string    // as they came
	down     bool          // 503 to all
	hold     chan struct{} // a question waits until it is closed
}

var meaning = []string{"berth schlafplatz ankerplatz", "lighthouse leuchtturm phare", "crane kran grue", "dog hund chien", "price preis prix", "sauna schwitzbad etuve"}

func newMeanings(t *testing.T, key string) (m *meanings, url string) {
	t.Helper()
	m = &meanings{Server: vendortest.OpenAI(key), dim: 16}
	url, _ = vendortest.Local(t, m)
	return m, url + "/v1"
}

func (m *meanings) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	var q struct{ Input []string }
	_ = json.Unmarshal(body, &q)
	w.Header().Set("Content-Type", "application/json")
	m.mu.Lock()
	down, hold, dim := m.down, m.hold, m.dim
	m.requests = append(m.requests, q.Input)
	m.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"message":"Overloaded."}}`)
		return
	}
	if hold != nil && len(q.Input) == 1 && strings.HasSuffix(q.Input[0], "?") {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	}
	strict := httptest.NewRecorder()
	m.Server.ServeHTTP(strict, r)
	if strict.Code != http.StatusOK {
		w.WriteHeader(strict.Code)
		_, _ = w.Write(strict.Body.Bytes())
		return
	}
	var data []map[string]any
	for i, t := range slices.Backward(q.Input) {
		data = append(data, map[string]any{"object": "embedding", "index": i, "embedding": place(t, dim)})
	}
	m.mu.Lock()
	if !slices.Equal(q.Input, []string{"ok"}) {
		m.texts = append(m.texts, q.Input...)
	}
	m.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]any{"object": "list", "data": data, "model": "m"})
}

func place(text string, dim int) []float64 {
	v := make([]float64, dim)
	text = strings.ToLower(text)
	for i, words := range meaning {
		for w := range strings.FieldsSeq(words) {
			if strings.Contains(text, w) {
				v[i] += 1
			}
		}
	}
	for i, b := range []byte(text) {
		v[len(meaning)+(int(b)+i)%(dim-len(meaning))] += 0.2 / float64(len(text))
	}
	return v
}

func (m *meanings) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// embedded counts the texts that were embedded so far.
func (m *meanings) embedded() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.texts)
}

// by is an agent's file that names an embedder.
func by(url, model string) *agent.Spec {
	s := *berths
	s.Embedder = agent.Model{Provider: "openai_compatible", BaseURL: url, Model: model}
	return &s
}

// ready waits until no vector is missing.
func (s *stacks) ready() {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return !s.vectors.busy() }, 10*time.Second, time.Millisecond)
}

// card is a source as people see it.
func (s *stacks) card(id string) SourceCard {
	m, ok := s.model.Source(id)
	require.True(s.t, ok)
	c := SourceCard{Status: m.Status()}
	c.withVectors(s.lacking(s.tenant, &m.State))
	return c
}

const foreign = "Wo steht der Leuchtturm?"

func TestAnAgentFindsWhatItsEmbedderUnderstands(t *testing.T) {
	s := newStacks(t)
	m, url := newMeanings(t, "")
	s.stand("harbour", "The lighthouse is on the northern pier and 33 metres high.", "a", "plain")
	plain := s.finds("plain", berths)
	r := s.finds("a", by(url, "m-1"))
	s.ready()
	require.Empty(t, found(plain, foreign), "no word of it stands in the text")
	require.Contains(t, found(r, foreign), "northern pier")
	require.Contains(t, found(r, "Was kostet ein Schlafplatz?"), "14 euros", "the file's own entries are embedded, too")
	require.Contains(t, found(r, "How high is the lighthouse?"), "33 metres")
	require.Equal(t, library.Ready, s.card("harbour").Status)
	require.Empty(t, m.Refused())

	asked := m.embedded()
	found(r, foreign)
	require.Equal(t, asked, m.embedded(), "the same question is not embedded again")
	s.stand("yard", "The crane lifts 20 tons.", "a")
	s.refresh(t.Context(), s.tenant, "a")
	s.ready()
	require.Contains(t, found(r, "Wie viel hebt der Kran?"), "20 tons", "a source that came later is embedded without a restart")
	require.Empty(t, found(plain, "Wie viel hebt der Kran?"))
}

func TestVectorsSurviveARestart(t *testing.T) {
	s := newStacks(t)
	m, url := newMeanings(t, "")
	s.stand("harbour", strings.Repeat("The boats come and go with the tide, and the master of the harbour notes each of them in his book by its name. ", 40)+"The lighthouse is on the northern pier.", "a")
	s.finds("a", by(url, "m-1"))
	s.ready()
	first := m.embedded()
	require.Greater(t, first, 8)
	s.restart()
	r := s.finds("a", by(url, "m-1"))
	s.ready()
	require.Equal(t, first, m.embedded(), "nothing is embedded again")
	require.Contains(t, found(r, foreign), "northern pier")
	t.Logf("figure: %d passages and entries embedded before the restart, %d after it", first, m.embedded()-first-1)

	files, err := filepath.Glob(filepath.Join(s.node.cfg.Data, "vectors", "*", "*.shelf"))
	require.NoError(t, err)
	require.Len(t, files, 2, "one of the source, one of the file's own entries")
	for _, f := range files {
		require.NoError(t, os.WriteFile(f, []byte("damaged"), 0o600))
	}
	before := m.embedded()
	s.restart()
	r = s.finds("a", by(url, "m-1"))
	s.ready()
	require.Equal(t, first, m.embedded()-before, "what is damaged is made again")
	require.Contains(t, found(r, foreign), "northern pier")
}

func TestWhileTheEmbedderIsDownKnowledgeIsFoundByItsWords(t *testing.T) {
	s := newStacks(t)
	s.vectors.pause = 10 * time.Millisecond
	m, url := newMeanings(t, "")
	m.set(func() { m.down = true })
	s.stand("harbour", "The lighthouse is on the northern pier and 33 metres high.", "a")
	r := s.finds("a", by(url, "m-1"))
	require.Equal(t, library.Indexing, s.card("harbour").Status, "its vectors are being made")
	s.ready()
	c := s.card("harbour")
	require.Equal(t, library.Ready, c.Status, "it is searched")
	require.Len(t, c.Warnings, 1)
	require.Contains(t, c.Warnings[0], "1 of 1 passages are found by their words alone until the embedder openai_compatible m-1 answers again")
	require.Contains(t, c.Warnings[0], "503")
	require.Contains(t, found(r, "How high is the lighthouse?"), "33 metres")
	require.Contains(t, found(r, "What does a berth cost?"), "14 euros")
	require.Empty(t, found(r, foreign))
	health := s.node.casting.models.health()
	require.Len(t, health, 1)
	require.NotEqual(t, "ok", health[0].State)
	require.Equal(t, "m-1", health[0].Model)

	m.set(func() { m.down = false })
	require.Eventually(t, func() bool { return len(s.card("harbour").Warnings) == 0 }, 20*time.Second, 5*time.Millisecond)
	require.Equal(t, library.Ready, s.card("harbour").Status)
	require.Eventually(t, func() bool { return strings.Contains(found(r, foreign), "northern pier") }, 20*time.Second, 5*time.Millisecond,
		"the vectors were completed; a question that failed is asked again after a while")
}

func TestAQuestionWaitsForItsVectorOnlySoLong(t *testing.T) {
	s := newStacks(t)
	s.vectors.patience = 20 * time.Millisecond
	m, url := newMeanings(t, "")
	s.stand("harbour", "The lighthouse is on the northern pier and 33 metres high.", "a")
	r := s.finds("a", by(url, "m-1")).(seeking)
	s.ready()
	open := make(chan struct{})
	m.set(func() { m.hold = open })
	require.Empty(t, found(r, foreign), "words alone: nobody waits for a vector that does not come")
	require.Contains(t, found(r, "How high is the lighthouse?"), "33 metres")
	require.Equal(t, 1, r.key.by.asked.under, "while one is late no other is asked for")
	close(open)
	require.Eventually(t, func() bool { return strings.Contains(found(r, foreign), "northern pier") }, 10*time.Second, time.Millisecond,
		"what came too late is there the next time")
	m.set(func() { m.hold = nil })
	require.Eventually(t, func() bool { return strings.Contains(found(r, "Wo ist der Leuchtturm?"), "northern pier") }, 10*time.Second, time.Millisecond,
		"once it is in time again, it is waited for again")
}

func TestAQuestionThatIsSoughtAheadIsThereAtOnce(t *testing.T) {
	s := newStacks(t)
	m, url := newMeanings(t, "")
	s.stand("harbour", "The lighthouse is on the northern pier.", "a")
	r := s.finds("a", by(url, "m-1")).(seeking)
	s.ready()
	q := knowledge.Query{Text: foreign, K: 3, Min: knowledge.DefaultMin}
	r.Seek(t.Context(), q)
	asked := len(m.Received())
	require.NotEmpty(t, r.Find(q))
	require.Len(t, m.Received(), asked, "Find asks nobody any more")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m.set(func() { m.hold = make(chan struct{}) })
	q.Text = "Wer hat den Leuchtturm gebaut?"
	r.Seek(ctx, q) // ends with its context
}

func TestAnotherEmbedderMakesItsOwnVectors(t *testing.T) {
	s := newStacks(t)
	s.vectors.pause = 10 * time.Millisecond
	first, one := newMeanings(t, "")
	second, two := newMeanings(t, "")
	second.dim = 24
	s.stand("harbour", "The lighthouse is on the northern pier.", "a")
	old := s.finds("a", by(one, "m-1"))
	s.ready()
	spec := by(two, "m-2")
	r, err := s.retriever(t.Context(), castKey{tenant: s.tenant, agent: "a", revision: 2}, spec)
	require.NoError(t, err)
	s.ready()
	require.Contains(t, found(r, foreign), "northern pier")
	require.Contains(t, found(old, foreign), "northern pier", "conversations that began before go on as they began")
	require.Equal(t, 24, r.(seeking).joint.Load().Dim())
	require.Equal(t, 16, old.(seeking).joint.Load().Dim())

	// What comes now is embedded by the new one alone.
	was := first.embedded()
	first.set(func() { first.down = true })
	s.stand("yard", "The crane lifts 20 tons.", "a")
	s.refresh(t.Context(), s.tenant, "a")
	s.ready()
	require.Equal(t, was, first.embedded())
	require.Contains(t, found(r, "Wie viel hebt der Kran?"), "20 tons")
	require.Contains(t, found(old, "How much does the crane lift?"), "20 tons", "by its words")
	require.Empty(t, s.card("yard").Warnings, "the embedder that nobody uses any more is not missed")
}

func TestVectorsOfAnotherLengthAreMadeAnew(t *testing.T) {
	s := newStacks(t)
	m, url := newMeanings(t, "")
	s.stand("harbour", "The lighthouse is on the northern pier.", "a")
	s.finds("a", by(url, "m-1"))
	s.ready()
	m.set(func() { m.dim = 20 })
	s.restart()
	r := s.finds("a", by(url, "m-1"))
	require.Eventually(t, func() bool { return r.(seeking).joint.Load().Dim() == 20 && !s.vectors.busy() }, 10*time.Second, time.Millisecond)
	require.Contains(t, found(r, foreign), "northern pier")
}

func TestVectorsAreMadeInBatchesAndKeptOnTheWay(t *testing.T) {
	s := newStacks(t)
	s.vectors.pause = 10 * time.Millisecond
	m, url := newMeanings(t, "")
	var list []string
	for i := range 400 {
		list = append(list, fmt.Sprintf(`{"question":"What does service number %d cost?","answer":"Service number %d costs %d euros."}`, i, i, i+3))
	}
	born := event.SourceCreated{Type: library.FAQ, Title: "Fees", Mode: library.Vector}
	got, err := s.read("fees", born, "["+strings.Join(list, ",")+"]")
	require.NoError(t, err)
	got.Run, got.Revision = 1, 1
	s.tell("fees", born, event.SourceSaved{Revision: 1, Title: "Fees", Blob: "x"}, event.SourceConnected{Agent: "a"}, event.SourceIndexing{Run: 1, Revision: 1}, got)
	m.Trouble(vendortest.Trouble{}, vendortest.Trouble{}, vendortest.Trouble{}, vendortest.Trouble{Kind: vendortest.TooMany})
	s.finds("a", by(url, "m-1"))
	s.ready()
	require.Equal(t, 402, m.embedded(), "each text once: 400 questions and two of the file")
	m.set(func() {
		for _, texts := range m.requests {
			require.LessOrEqual(t, len(texts), 64)
		}
		require.Less(t, len(m.requests), 20)
	})

	// The end of the process in the middle: what was made is not made again.
	m.set(func() { m.down = true })
	more := strings.Join(list, ",") + `,{"question":"What does the crane cost?","answer":"80 euros."}`
	got, err = s.read("fees", born, "["+more+"]")
	require.NoError(t, err)
	got.Run, got.Revision = 2, 2
	s.tell("fees", event.SourceSaved{Revision: 2, Title: "Fees", Blob: "y"}, event.SourceIndexing{Run: 2, Revision: 2}, got)
	s.refresh(t.Context(), s.tenant, "a")
	s.ready()
	require.Equal(t, 402, m.embedded())
	m.set(func() { m.down = false })
	s.restart()
	s.finds("a", by(url, "m-1"))
	s.ready()
	t.Logf("figure: %d texts embedded for a source of 400 entries and one more after an edit", m.embedded())
}

func TestWhatCannotBeAnEmbedderIsToldInTheFile(t *testing.T) {
	s := newStacks(t)
	of := castKey{tenant: s.tenant}
	for name, c := range map[string]struct {
		model agent.Model
		says  string
	}{
		"an unknown one":           {agent.Model{Provider: "oracle"}, "there are builtin, openai"},
		"one of no address":        {agent.Model{Provider: "vllm", Model: "m"}, "needs a base_url"},
		"one of no model":          {agent.Model{Provider: "openai"}, "a model must be named"},
		"a key that is not set":    {agent.Model{Provider: "openai", Model: "m", KeyEnv: "NOBODY_SET_THIS"}, "NOBODY_SET_THIS"},
		"one with a fallback":      {agent.Model{Provider: "openai", Model: "m", Fallback: []agent.Model{{Provider: "builtin"}}}, "no fallback"},
		"the built-in one's other": {agent.Model{Provider: "builtin", Fallback: []agent.Model{{Provider: "openai"}}}, "no fallback"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.retriever(t.Context(), of, &agent.Spec{Embedder: c.model})
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, "models.embedder: ")
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestTheKeyOfAnEmbedderIsSentAndNotTold(t *testing.T) {
	s := newStacks(t)
	m, url := newMeanings(t, "the-right-key")
	s.stand("harbour", "The lighthouse is on the northern pier.", "a", "b")
	spec := by(url, "m-1")
	spec.Embedder.KeyEnv = "EMBED_KEY"
	spec.Env = []event.Pair{{Key: "EMBED_KEY", Value: "the-wrong-key"}}
	s.finds("a", spec)
	s.ready()
	require.Len(t, s.card("harbour").Warnings, 1)
	require.NotContains(t, fmt.Sprint(s.card("harbour").Warnings, s.node.casting.models.health()), "the-wrong-key")
	right := *spec
	right.Env = []event.Pair{{Key: "EMBED_KEY", Value: "the-right-key"}}
	r := s.finds("b", &right)
	require.Eventually(t, func() bool { return strings.Contains(found(r, foreign), "northern pier") }, 10*time.Second, 5*time.Millisecond)
	require.Positive(t, m.embedded())
}
