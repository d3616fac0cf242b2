package node

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flametree/actors"
	"flametree/engine/agent"
	"flametree/engine/dialog"
	"flametree/engine/fault"
	"flametree/engine/provider"
	"flametree/engine/provider/phrases"
	"flametree/engine/spoken"
	cache "flametree/persist/phrases"
)

// warmIn bounds how long rendering phrases beforehand may take.
const warmIn = 2 * time.Minute

// phraseBook keeps the sound of what agents say again and again: texts that
// stand in their files word by word, and never what was said to one person.
type phraseBook struct {
	n     *Node
	store *cache.Store
	asked *prometheus.CounterVec
}

// newPhraseBook makes the cache. Without it every phrase is rendered anew: that
// costs time and money, but no call.
func newPhraseBook(n *Node) *phraseBook {
	b := &phraseBook{n: n, asked: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "flametree_voice_phrases_total", Help: "Phrases of agents' files that were to be said, by whether their sound was kept; those rendered before a call count too.",
	}, []string{"outcome"})}
	n.reg.MustRegister(b.asked)
	var err error
	if b.store, err = cache.Open(cache.Options{Log: n.log}); err != nil {
		n.log.Warn("no phrases are kept", "err", err)
	}
	return b
}

func (b *phraseBook) close() error {
	if b == nil || b.store == nil {
		return nil
	}
	return b.store.Close()
}

// keeping makes voices of an agent keep its phrases. The maker says who renders:
// vendor, address, model and options.
func (b *phraseBook) keeping(of castKey, rev *agent.Revision) func(maker string, s provider.Synthesizer) provider.Synthesizer {
	if b == nil || b.store == nil {
		return func(_ string, s provider.Synthesizer) provider.Synthesizer { return s }
	}
	fixed := make(map[string]bool)
	for _, lang := range languages(rev) {
		for _, text := range append(often(rev, lang), answers(rev)...) {
			for _, c := range clauses(text, lang) {
				fixed[c] = true
			}
		}
	}
	hit, miss := b.asked.WithLabelValues("hit"), b.asked.WithLabelValues("miss")
	told := func(kept bool) {
		if kept {
			hit.Inc()
		} else {
			miss.Inc()
		}
	}
	return func(maker string, s provider.Synthesizer) provider.Synthesizer {
		return phrases.Of(s, phrases.Options{Store: b.store, Tenant: of.tenant, Maker: maker, Fixed: fixed, Told: told})
	}
}

// warm has what every call begins with, or may need at any time, rendered before
// anybody waits for it.
func (b *phraseBook) warm(cast *actors.Cast) {
	rev := cast.Revision
	voice := rev.Spec.Type == agent.InboundVoice || rev.Spec.Type == agent.OutboundVoice
	if b == nil || b.store == nil || cast.Speaks == nil || !voice {
		return
	}
	lang := rev.Settings.Language
	var texts []string
	for _, t := range often(rev, lang) {
		texts = append(texts, clauses(t, lang)...)
	}
	slices.Sort(texts)
	texts = slices.Compact(texts)
	b.n.done.Go(func() {
		ctx, cancel := context.WithTimeout(b.n.life, warmIn)
		defer cancel()
		err := phrases.Warm(ctx, cast.Speaks, provider.Voice{Name: rev.Settings.TTSVoice, Language: lang}, texts)
		if err != nil && fault.KindOf(err) != fault.Cancelled && b.n.life.Err() == nil {
			b.n.log.Warn("phrases are not rendered beforehand", "err", err, "agent", rev.Agent)
		}
	})
}

// languages are those an agent may speak.
func languages(rev *agent.Revision) []string {
	out := append([]string{rev.Settings.Language}, rev.Spec.Languages...)
	slices.Sort(out)
	return slices.Compact(out)
}

// often is what an agent says in any call. A text with a place to be filled in
// is another one for each caller.
func often(rev *agent.Revision, lang string) []string {
	set := rev.Settings
	out := []string{
		rev.SpokenGreeting(), rev.Greeting(), set.RecordNotice, set.Rephrase, set.NoInputText, set.TimeoutMessage,
		spoken.StillThere(lang), spoken.NotUnderstood(lang), spoken.PutThrough.Of(lang), spoken.NotReached.Of(lang), spoken.TargetBusy.Of(lang),
	}
	if set.Fillers {
		out = append(out, spoken.Fillers(lang)...)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" || strings.Contains(s, "{") })
}

// answers are those that stand in the file.
func answers(rev *agent.Revision) []string {
	var out []string
	for _, f := range rev.Spec.FAQs {
		if !strings.Contains(f.Answer, "{") {
			out = append(out, f.Answer)
		}
	}
	return out
}

// clauses are what a voice is given of a text.
func clauses(text, lang string) []string {
	var cut dialog.Cutter
	var out []string
	for _, c := range append(cut.Push(text), cut.Flush()...) {
		if w := spoken.Words(c, lang); w != "" {
			out = append(out, w)
		}
	}
	return out
}
