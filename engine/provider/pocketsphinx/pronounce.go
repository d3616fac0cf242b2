package pocketsphinx

/*
#cgo LDFLAGS: -lflite_cmulex -lflite -lm
#include <stdlib.h>
#include <string.h>
#include <flite/flite.h>

cst_lexicon *cmu_lex_init(void);

// Writes the sounds of word, parted by spaces, and returns their number.
static int ft_sounds(cst_lexicon *lex, const char *word, char *out, int max) {
	cst_val *phones = lex_lookup(lex, word, NULL, NULL);
	int n = 0, used = 0;
	for (const cst_val *v = phones; v; v = val_cdr(v)) {
		const char *p = val_string(val_car(v));
		int len = strlen(p);
		if (used + len + 2 > max) { n = 0; break; }
		memcpy(out + used, p, len);
		used += len;
		out[used++] = ' ';
		n++;
	}
	out[used > 0 ? used - 1 : 0] = 0;
	delete_val(phones);
	return n;
}
*/
import "C"

import (
	"bytes"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"unsafe"

	"flametree/engine/fault"
)

// dictionary says how words sound, in the phones of the acoustic model. It is
// safe for concurrent use.
type dictionary struct {
	text  []byte
	lines []uint32 // offsets, sorted by word
}

// readDictionary loads and indexes the dictionary that comes with the model.
func readDictionary(path string) (*dictionary, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("pocketsphinx: dictionary: %w: %w (apt-get install pocketsphinx-en-us)", fault.Unavailable, err)
	}
	d := &dictionary{text: b}
	for i := 0; i < len(b); {
		d.lines = append(d.lines, uint32(i))
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
	}
	sort.SliceStable(d.lines, func(i, j int) bool { return bytes.Compare(d.word(d.lines[i]), d.word(d.lines[j])) < 0 })
	return d, nil
}

// word is the entry at an offset without the number of a variant.
func (d *dictionary) word(at uint32) []byte {
	w := d.text[at:]
	if n := bytes.IndexAny(w[:min(len(w), 64)], "( \t\n"); n >= 0 {
		return w[:n]
	}
	return w[:min(len(w), 64)]
}

// lookup returns all pronunciations of a word, the first one first.
func (d *dictionary) lookup(word string) []string {
	i := sort.Search(len(d.lines), func(i int) bool { return string(d.word(d.lines[i])) >= word })
	var out []string
	for ; i < len(d.lines) && string(d.word(d.lines[i])) == word; i++ {
		line := d.text[d.lines[i]:]
		if n := bytes.IndexByte(line, '\n'); n >= 0 {
			line = line[:n]
		}
		_, phones, _ := bytes.Cut(line, []byte(" "))
		out = append(out, strings.TrimSpace(string(phones)))
	}
	return out
}

func (d *dictionary) known(word string) bool {
	i := sort.Search(len(d.lines), func(i int) bool { return string(d.word(d.lines[i])) >= word })
	return i < len(d.lines) && string(d.word(d.lines[i])) == word
}

// pronounce returns the ways to say a word: from the dictionary; spelled out,
// if the agent writes it in capitals; else by the letter-to-sound rules.
func (d *dictionary) pronounce(word string, acronym bool) []string {
	if p := d.lookup(word); len(p) > 0 {
		return p
	}
	var out []string
	if acronym {
		var letters []string
		for _, r := range word {
			if p := d.lookup(string(r)); len(p) > 0 {
				letters = append(letters, p[len(p)-1]) // the last of "a" is its name
			}
		}
		out = append(out, strings.Join(letters, " "))
	}
	if p := sounds(word); p != "" {
		out = append(out, p)
	}
	return out
}

// lexicon guards the lexicon of flite, whose first use writes to it.
//
//nolint:gochecknoglobals // stands for C's own global state
var lexicon = sync.OnceValue(func() *C.cst_lexicon { return C.cmu_lex_init() })

// sounds asks the letter-to-sound rules of flite, "" if they have no answer.
func sounds(word string) string {
	if word == "" || len(word) > 64 || strings.ContainsFunc(word, func(r rune) bool { return (r < 'a' || r > 'z') && r != '\'' }) {
		return ""
	}
	w := C.CString(word)
	defer C.free(unsafe.Pointer(w))
	buf := make([]byte, 1024)
	if C.ft_sounds(lexicon(), w, (*C.char)(unsafe.Pointer(&buf[0])), C.int(len(buf))) == 0 {
		return ""
	}
	var out []string
	for p := range strings.FieldsSeq(C.GoString((*C.char)(unsafe.Pointer(&buf[0])))) {
		p = strings.ToUpper(strings.TrimRight(p, "012"))
		if p == "AX" {
			p = "AH"
		}
		if p != "PAU" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " ")
}
