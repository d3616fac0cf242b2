package dialog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"flametree/engine/agent"
	"flametree/engine/event"
	"flametree/engine/session"
	"flametree/engine/tool"
)

// A long result of a tool is shown to a model in part: its start, because tools
// put what matters first, and its end, because lists and logs put the newest
// last. Between them stands a line that says how much is left out and how to
// read it. The journal holds all of it, so ReadResult reads it there: nothing
// is run again.

// markRoom is what that line may take, besides the id of the call.
const markRoom = 200

// maxTried bounds the arrays of one result that are tried, the outermost first.
const maxTried = 8

// long reports whether a result is too long to be shown whole.
func long(text string) bool {
	return len(text) > tool.MaxShown && utf8.RuneCountInString(text) > tool.MaxShown
}

// excerpted is what a model is shown of the result of call id: at most
// tool.MaxShown characters. An array is cut between its elements.
func excerpted(text, id string) string {
	if !long(text) {
		return text
	}
	room := max(tool.MaxShown/2, tool.MaxShown-markRoom-utf8.RuneCountInString(quoted(id)))
	if json.Valid([]byte(text)) {
		tried := 0
		for _, a := range arrays(text) {
			if outside := len(text) - (a.to - a.from); len(a.elements) < 2 || outside > utf8.UTFMax*room {
				continue
			}
			if out, ok := a.cut(text, id, room); ok {
				return out
			}
			if tried++; tried == maxTried { // a stranger may nest as deep as he likes
				break
			}
		}
	}
	head, tail := gap(text, room)
	return text[:head] + "\n" + omission(text, id, head, tail, "") + "\n" + text[tail:]
}

// omission is the line in place of text[from:to].
func omission(text, id string, from, to int, elements string) string {
	return fmt.Sprintf("[left out: %s%d of %d characters; %s shows them: %s]",
		elements, utf8.RuneCountInString(text[from:to]), utf8.RuneCountInString(text), readTool, where(text, id, from))
}

// where are the arguments that read on from a byte of text.
func where(text, id string, from int) string {
	return fmt.Sprintf(`{"result":%s,"from":%d}`, quoted(id), utf8.RuneCountInString(text[:from]))
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // no string fails
	}
	return string(b)
}

// gap finds the bytes between which text is left out so that about room
// characters stay, three quarters of them at the start, in whole words where
// words are not endless.
func gap(text string, room int) (head, tail int) {
	head = runeAt(text, room*3/4)
	tail = head + runeAt(text[head:], utf8.RuneCountInString(text[head:])-room/4)
	const word = 60
	if i := strings.LastIndexAny(text[max(0, head-word):head], " \n\t"); i >= 0 {
		head = max(0, head-word) + i + 1
	}
	if i := strings.IndexAny(text[tail:min(len(text), tail+word)], " \n\t"); i >= 0 {
		tail += i + 1
	}
	return head, tail
}

// runeAt is the byte at which character n of text begins.
func runeAt(text string, n int) int {
	for i := range text {
		if n <= 0 {
			return i
		}
		n--
	}
	return len(text)
}

// array is a JSON array in a text: the bytes from its bracket to behind the
// other one, and those of its elements.
type array struct {
	from, to int
	elements [][2]int
}

// arrays finds all arrays of a valid JSON text, an outer one before those in it.
func arrays(text string) []array {
	var out []array
	var open []int // those that are open, by index in out; -1 is an object
	end := func(i int) {
		if k := len(open) - 1; k >= 0 && open[k] >= 0 {
			a := &out[open[k]]
			from := a.from + 1
			if n := len(a.elements); n > 0 {
				from = a.elements[n-1][1] + 1
			}
			part := text[from:i]
			lead := len(part) - len(strings.TrimLeft(part, " \n\r\t"))
			if from += lead; from < i {
				a.elements = append(a.elements, [2]int{from, i})
			}
		}
	}
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '[':
			open = append(open, len(out))
			out = append(out, array{from: i})
		case '{':
			open = append(open, -1)
		case ',':
			end(i)
		case ']':
			end(i)
			out[open[len(open)-1]].to = i + 1
			open = open[:len(open)-1]
		case '}':
			open = open[:len(open)-1]
		}
	}
	return out
}

// cut leaves elements out of the middle of a so that text has about room
// characters; false where that does not help: too much stands around the array,
// or its first element is too long.
func (a array) cut(text, id string, room int) (string, bool) {
	size := func(from, to int) int { return utf8.RuneCountInString(text[from:to]) }
	left := room - size(0, a.from) - size(a.to, len(text))
	if left < room/2 {
		return "", false
	}
	first, last := 0, len(a.elements) // kept are those before first and from last on
	used := size(a.from, a.elements[0][0])
	fits := func(i, most int) bool { // with what stands between it and the next
		end := a.to
		if i+1 < len(a.elements) {
			end = a.elements[i+1][0]
		}
		n := size(a.elements[i][0], end)
		if used+n > most {
			return false
		}
		used += n
		return true
	}
	for first < last && fits(first, left*3/4) {
		first++
	}
	for last > first && fits(last-1, left) {
		last--
	}
	if first == 0 || first == last {
		return "", false
	}
	from, to := a.elements[first][0], a.elements[last-1][1]
	note := omission(text, id, from, to, fmt.Sprintf("%d of %d elements, ", last-first, len(a.elements)))
	out := text[:a.elements[first-1][1]] + ",\n" + note
	if last < len(a.elements) {
		return out + ",\n" + text[a.elements[last][0]:], true
	}
	return out + "\n" + text[to:], true
}

// cutShort reports whether the model is shown only part of some result.
func cutShort(s *session.State, _ *agent.Revision) bool {
	return slices.ContainsFunc(s.Lines, func(l session.Line) bool {
		return l.Role == session.RoleTool && l.Turn >= s.Summary.Upto && long(l.Text)
	})
}

// reading carries out a call of ReadResult.
func reading(s *session.State, c event.ToolCall) string {
	var args struct {
		Result string
		From   int
	}
	if !readArgs(c.Args.Text, &args) {
		return "result and from are needed."
	}
	for _, l := range slices.Backward(s.Lines) {
		if l.Role != session.RoleTool || l.CallID != args.Result {
			continue
		}
		return stretch(l.Text, args.Result, args.From)
	}
	return "There is no such result in this conversation."
}

// stretch is a part of a result from character n on, with what it is a part of.
func stretch(text, id string, n int) string {
	whole := utf8.RuneCountInString(text)
	if n < 0 || n >= whole {
		return fmt.Sprintf("The result has %d characters; nothing of it is left.", whole)
	}
	from := runeAt(text, n)
	room := max(tool.MaxShown/2, tool.MaxShown-markRoom-utf8.RuneCountInString(quoted(id)))
	to := from + runeAt(text[from:], room)
	head := fmt.Sprintf("[characters %d to %d of %d", n, n+utf8.RuneCountInString(text[from:to]), whole)
	if to < len(text) {
		head += "; " + readTool + " shows what follows: " + where(text, id, to)
	}
	return head + "]\n" + text[from:to]
}
