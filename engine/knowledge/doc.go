// Package knowledge finds what an agent knows about a question: it cuts long
// texts into passages, ranks them, and says how well each fits on a scale on
// which questions that cannot be answered stand low. It reads no file, keeps no
// vectors and calls no model; where the texts come from is the business of
// knowledge/ingest, and what is said about them that of the language model.
//
// How a passage is ranked. BM25 over stems, related words and words spelled
// alike picks forty candidates; each of these gets the share of the question's
// meaning it covers. A word weighs what it tells: rare words much, everyday
// words little, and a word that stands nowhere in the index as much as the
// rarest one, because it is the strongest sign that nothing answers. Questions
// of a FAQ count more than answers, a sentence that covers the question alone
// more than words scattered over a passage, and a passage without a figure
// cannot answer how much. In a long source, whose every passage has the name of
// the thing, the name alone answers nothing; and a word that stands nowhere is
// taken for a slip of one beside it before it counts as strange.
//
// A hundred thousand passages are searched in milliseconds because the postings
// of common words are not read through (rank.go), and change without being read
// again (Index.Change).
package knowledge
