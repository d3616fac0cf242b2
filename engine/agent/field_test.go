package agent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
)

func TestFieldParse(t *testing.T) {
	colours := []string{"Red", "Dark Blue", "N/A"}
	const refused = "✗"
	for _, c := range []struct {
		kind  FieldType
		value string
		want  string
	}{
		{Str, "  Eva Berg ", "Eva Berg"},
		{Str, "", refused},
		{Str, strings.Repeat("x", maxValue+1), refused},
		{Str, "\xff", refused},
		{Int, "42", "42"},
		{Int, "+42", "42"},
		{Int, "-7", "-7"},
		{Int, "1,250", "1250"},
		{Int, "1'000'000", "1000000"},
		{Int, "12 500", "12500"},
		{Int, "42.0", "42"},
		{Int, "42.5", refused},
		{Int, "1,25", refused},
		{Int, "1250,000", refused},
		{Int, "many", refused},
		{Int, "", refused},
		{Int, "99999999999999999999", refused},
		{Bool, "Yes", "true"},
		{Bool, "FALSE", "false"},
		{Bool, "perhaps", refused},
		{Date, "2026-02-15", "2026-02-15"},
		{Date, "2026-2-5", "2026-02-05"},
		{Date, "February 15, 2026", "2026-02-15"},
		{Date, "15  February 2026", "2026-02-15"},
		{Date, "15.2.2026", "2026-02-15"},
		{Date, "2026-02-15T10:00:00Z", "2026-02-15"},
		{Date, "02/03/2026", refused},
		{Date, "2026-02-30", refused},
		{Date, "tomorrow", refused},
		{Datetime, "2026-02-15 14:30", "2026-02-15 14:30"},
		{Datetime, "2026-02-15T14:30:10+02:00", "2026-02-15 14:30"},
		{Datetime, "February 15, 2026 2:30 PM", "2026-02-15 14:30"},
		{Datetime, "2026-02-15", refused},
		{Datetime, "2026-02-15 25:00", refused},
		{StrList, `["a"," b ","a"]`, `["a","b"]`},
		{StrList, "a, b; c", `["a","b","c"]`},
		{StrList, "[1]", refused},
		{StrList, " , ", refused},
		{Literal, "Red", "Red"},
		{Literal, "dark  BLUE", "Dark Blue"},
		{Literal, "n/a", "N/A"},
		{Literal, "green", refused},
		{Literal, "", refused},
	} {
		f := Field{Name: "F", Type: c.kind, Options: colours}
		got, err := f.Parse(c.value)
		if c.want == refused {
			require.ErrorIs(t, err, fault.Invalid, "%s %q", c.kind, c.value)
			if c.value != "" {
				require.NotContains(t, err.Error(), c.value+" ", "personal values do not belong into errors")
			}
			continue
		}
		require.NoError(t, err, "%s %q", c.kind, c.value)
		require.Equal(t, c.want, got, "%s %q", c.kind, c.value)
	}
}

func TestOptionsThatDifferByCaseAlone(t *testing.T) {
	f := Field{Type: Literal, Options: []string{"it", "IT"}}
	got, err := f.Parse("IT")
	require.NoError(t, err)
	require.Equal(t, "IT", got)
	_, err = f.Parse("It")
	require.Error(t, err, "it could be either")
}

func TestCanonicalValuesStayAsTheyAre(t *testing.T) {
	kinds := rapid.SampledFrom([]FieldType{Str, Int, Bool, Date, Datetime, StrList, Literal})
	rapid.Check(t, func(t *rapid.T) {
		f := Field{Name: "F", Type: kinds.Draw(t, "type"), Options: []string{"a", "A b"}}
		v := rapid.OneOf(rapid.String(), rapid.StringMatching(`-?[0-9]{1,4}([,. /-][0-9]{1,3}){0,3}`), rapid.StringMatching(`(\["a","[a-z ]{0,3}"\]|[a-c, ]{1,5})`)).Draw(t, "value")
		once, err := f.Parse(v)
		if err != nil {
			return
		}
		twice, err := f.Parse(once)
		require.NoError(t, err)
		require.Equal(t, once, twice)
		require.NotEmpty(t, once)
	})
}

func TestListsGrow(t *testing.T) {
	f := Field{Type: StrList}
	require.Equal(t, `["a","b"]`, f.Merge(`["a"]`, `["A","b"]`))
	require.Equal(t, `["a"]`, f.Merge("", `["a"]`))
	require.Equal(t, "new", Field{Type: Str}.Merge("old", "new"))
}

func TestLiteral(t *testing.T) {
	for text, want := range map[string][]string{
		`'500', '1000'`: {"500", "1000"}, `"a", 'b',`: {"a", "b"}, `500, x y`: {"500", "x y"}, `'it\'s'`: {"it's"}, `'a]'`: {"a]"},
	} {
		got, ok := literal(text)
		require.True(t, ok, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "'a' 'b'", "'a", "'a', 'a'", "''", "a[b", ","} {
		_, ok := literal(text)
		require.False(t, ok, text)
	}
}
