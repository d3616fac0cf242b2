package remote

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSecretsAreHidden(t *testing.T) {
	basic := Auth{Kind: AuthBasic, Value: `me:s3"cret`}
	require.NoError(t, basic.Validate())
	quoted, err := json.Marshal(`the word s3"cret`)
	require.NoError(t, err)
	_, field := basic.Field()
	for name, text := range map[string]string{
		"whole": `me:s3"cret`, "without the user": `s3"cret is wrong`, "in JSON": string(quoted), "as it was sent": field,
	} {
		t.Run(name, func(t *testing.T) {
			got := basic.Hide(text)
			assert.Contains(t, got, "***")
			assert.NotContains(t, got, "cret")
			assert.NotContains(t, got, strings.TrimPrefix(field, "Basic "))
		})
	}
	assert.Equal(t, "nothing to hide", Auth{}.Hide("nothing to hide"))
}

func TestReferencesAreWrittenOut(t *testing.T) {
	tests := map[string]struct {
		dialect Dialect
		schema  string
		want    string // "" = refused
	}{
		"a target beside a remark":   {Dialect{}, `{"$ref":"#/$defs/a","title":"T","$defs":{"a":{"type":"string","title":"A"}}}`, `{"type":"string","title":"T"}`},
		"a target beside a rule":     {Dialect{}, `{"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{"type":"string"}}}`, `{"minLength":1,"allOf":[{"type":"string"}]}`},
		"alone":                      {Dialect{Alone: true}, `{"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{"type":"string"}}}`, `{"type":"string"}`},
		"a circle":                   {Dialect{}, `{"type":"object","properties":{"a":{"$ref":"#"}}}`, `{"type":"object","properties":{"a":{"type":"object","properties":{"a":{}}}}}`},
		"the whole of a document":    {Dialect{Part: true}, `{"$ref":"#"}`, ""},
		"out of it":                  {Dialect{}, `{"$ref":"http://127.0.0.1:1/x.json"}`, ""},
		"to nothing":                 {Dialect{}, `{"$ref":"#/$defs/b"}`, ""},
		"dynamic":                    {Dialect{}, `{"$dynamicRef":"#a"}`, ""},
		"keywords of a dialect":      {Dialect{Drop: func(k string) bool { return k == "xml" }}, `{"type":"string","xml":{}}`, `{"type":"string"}`},
		"a pattern that looks ahead": {Dialect{}, `{"pattern":"(?=a)"}`, `{"pattern":".*"}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var root map[string]any
			require.NoError(t, json.Unmarshal([]byte(tt.schema), &root))
			flat, err := NewWriter(root, tt.dialect).Write(root)
			if tt.want == "" {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			got, err := json.Marshal(flat)
			require.NoError(t, err)
			assert.JSONEq(t, tt.want, string(got))
		})
	}
}

// A tool that is written many times shares one bound.
func TestOneBoundForAllOfATool(t *testing.T) {
	w := NewWriter(nil, Dialect{})
	wide := map[string]any{"anyOf": make([]any, maxNodes/2)}
	for i := range wide["anyOf"].([]any) {
		wide["anyOf"].([]any)[i] = true
	}
	_, err := w.Write(wide)
	require.NoError(t, err)
	_, err = w.Write(wide)
	require.ErrorIs(t, err, errLarge)
}
