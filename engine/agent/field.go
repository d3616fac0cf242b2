package agent

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flametree/engine/fault"
	"flametree/engine/provider"
)

// FieldType is the type of a conversation result.
type FieldType string

// The types of conversation results (spec 7).
const (
	Str      FieldType = "str"
	Int      FieldType = "int"
	Bool     FieldType = "bool"
	Date     FieldType = "date"      // 2026-02-15
	Datetime FieldType = "datetime"  // 2026-02-15 14:30
	StrList  FieldType = "list[str]" // the agent may append
	Literal  FieldType = "Literal"   // one of Options
)

const (
	maxValue = 4000 // characters of one result
	maxItems = 100  // of a list
)

// Field is one conversation result: something to read out of what is said.
type Field struct {
	Name        string
	Title       string
	Description string
	Type        FieldType
	Options     []string // Literal only
}

// Parse brings a value that a model read out of a conversation into the one
// form in which it is kept: int as digits, bool as true or false, date and
// datetime as above, list[str] as a JSON array, Literal as its option is
// written. What does not fit the type is fault.Invalid. A canonical value
// parses to itself.
func (f Field) Parse(value string) (string, error) {
	v := strings.TrimSpace(value)
	if !utf8.ValidString(v) || utf8.RuneCountInString(v) > maxValue {
		return "", f.refuse(v)
	}
	var out string
	var ok bool
	switch f.Type {
	case Int:
		out, ok = wholeNumber(v)
	case Bool:
		out, ok = truth(v)
	case Date:
		out, ok = moment(v, "2006-01-02")
	case Datetime:
		out, ok = moment(v, "2006-01-02 15:04")
	case StrList:
		out, ok = list(v)
	case Literal:
		out, ok = option(v, f.Options)
	case Str:
		out, ok = v, v != ""
	default:
		out, ok = v, v != ""
	}
	if !ok {
		return "", f.refuse(v)
	}
	return out, nil
}

// refuse does not repeat the value: it is about a person, and errors reach logs.
func (f Field) refuse(v string) error {
	return fmt.Errorf("result %s: a value of %d characters is no %s: %w", f.Name, utf8.RuneCountInString(v), f.Type, fault.Invalid)
}

// Merge is what a result is after a new value: a list grows by what it did not
// hold yet, everything else is replaced. Both values are canonical; old may be "".
func (f Field) Merge(old, fresh string) string {
	if f.Type != StrList || old == "" {
		return fresh
	}
	var have, more []string
	if json.Unmarshal([]byte(old), &have) != nil || json.Unmarshal([]byte(fresh), &more) != nil {
		return fresh
	}
	for _, m := range more {
		if !containsFold(have, m) && len(have) < maxItems {
			have = append(have, m)
		}
	}
	return array(have)
}

// Show is the field as a model sees it, with its current value ("" = unknown).
func (f Field) Show(value string) provider.Field {
	return provider.Field{
		Name: f.Name, Title: f.Title, Description: f.Description,
		Type: string(f.Type), Options: f.Options, Value: value,
	}
}

// wholeNumber accepts blanks, commas and apostrophes between groups of three,
// and a fraction of zeros.
func wholeNumber(v string) (string, bool) {
	v = strings.TrimPrefix(v, "+")
	body, fraction, _ := strings.Cut(v, ".")
	if strings.Trim(fraction, "0") != "" {
		return "", false
	}
	groups := strings.FieldsFunc(body, func(r rune) bool { return strings.ContainsRune(", _'\u00a0\u202f", r) })
	for i, g := range groups {
		if i > 0 && len(g) != 3 || i == 0 && len(groups) > 1 && len(strings.TrimPrefix(g, "-")) > 3 {
			return "", false
		}
	}
	n, err := strconv.ParseInt(strings.Join(groups, ""), 10, 64)
	if err != nil {
		return "", false
	}
	return strconv.FormatInt(n, 10), true
}

func truth(v string) (string, bool) {
	switch strings.ToLower(v) {
	case "true", "yes", "y", "1", "on":
		return "true", true
	case "false", "no", "n", "0", "off":
		return "false", true
	}
	return "", false
}

// moment reads dates whose order of day and month cannot be mistaken: with the
// year first, with the month in letters, or with dots as Germans write them.
func moment(v, canonical string) (string, bool) {
	v = strings.Join(strings.Fields(v), " ")
	days := []string{
		"2006-1-2", "2006/1/2", "2006.1.2", "2.1.2006", "2 January 2006", "January 2, 2006", "January 2 2006",
		"2 Jan 2006", "Jan 2, 2006", "Jan 2 2006", "2. January 2006", "20060102",
	}
	hours := []string{" 15:04", " 15:04:05", " 15:04:05.999999999", " 3:04 PM", " 3:04PM", " 3PM", " 3 PM", ", 15:04", " at 15:04"}
	layouts := []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02T15:04:05.999999999"}
	for _, d := range days {
		if canonical == "2006-01-02" {
			layouts = append(layouts, d)
		}
		for _, h := range hours {
			layouts = append(layouts, d+h)
		}
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, v); err == nil && t.Year() > 0 {
			return t.Format(canonical), true
		}
	}
	return "", false
}

// list reads a JSON array of texts, or texts between commas, semicolons or on
// lines of their own.
func list(v string) (string, bool) {
	var items, out []string
	if json.Unmarshal([]byte(v), &items) != nil {
		if strings.HasPrefix(v, "[") || strings.HasPrefix(v, "{") {
			return "", false
		}
		items = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || r == ';' || r == '\n' })
	}
	for _, i := range items {
		if i = strings.TrimSpace(i); i != "" && !containsFold(out, i) {
			out = append(out, i)
		}
	}
	if len(out) == 0 || len(out) > maxItems {
		return "", false
	}
	return array(out), true
}

func array(items []string) string {
	b, err := json.Marshal(items)
	if err != nil {
		panic("a list of texts is always JSON: " + err.Error())
	}
	return string(b)
}

func containsFold(in []string, s string) bool {
	return slices.ContainsFunc(in, func(x string) bool { return strings.EqualFold(x, s) })
}

// option finds the option a value means; case and blanks do not matter.
func option(v string, options []string) (string, bool) {
	if slices.Contains(options, v) {
		return v, true
	}
	plain := func(s string) string { return strings.ToLower(strings.Join(strings.Fields(s), " ")) }
	found := ""
	for _, o := range options {
		if plain(o) == plain(v) {
			if found != "" {
				return "", false // two options differ by case alone
			}
			found = o
		}
	}
	return found, found != ""
}
