package gemini

import (
	"encoding/json"
	"testing"
)

// TestSubset shows what is left of a JSON Schema.
func TestSubset(t *testing.T) {
	for name, x := range map[string]struct{ in, want string }{
		"no schema":           {``, `{"type":"object"}`},
		"what is not known":   {`{"type":"object","$schema":"x","additionalProperties":false,"properties":{"a":{"type":"string","format":"uri","default":"q","pattern":"x"}}}`, `{"properties":{"a":{"type":"string"}},"type":"object"}`},
		"null becomes a flag": {`{"type":"object","properties":{"a":{"type":["integer","null"]},"b":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`, `{"properties":{"a":{"nullable":true,"type":"integer"},"b":{"nullable":true,"type":"string"}},"type":"object"}`},
		"enums are strings":   {`{"type":"object","properties":{"a":{"enum":["x","y"]},"b":{"type":"integer","enum":[1]},"c":{"const":"z"}}}`, `{"properties":{"a":{"enum":["x","y"],"type":"string"},"b":{"type":"integer"},"c":{"enum":["z"],"type":"string"}},"type":"object"}`},
		"a list of anything":  {`{"type":"object","properties":{"a":{"type":"array"},"b":true}}`, `{"properties":{"a":{"items":{"type":"string"},"type":"array"},"b":{"type":"string"}},"type":"object"}`},
		"required of nothing": {`{"type":"object","properties":{"a":{"type":"string"}},"required":["a","b"]}`, `{"properties":{"a":{"type":"string"}},"required":["a"],"type":"object"}`},
		"a reference":         {`{"type":"object","properties":{"a":{"$ref":"#/$defs/d"}},"$defs":{"d":{"type":"boolean"}}}`, `{"properties":{"a":{"type":"boolean"}},"type":"object"}`},
		"a lost reference":    {`{"type":"object","properties":{"a":{"$ref":"#/no/where"},"b":{"$ref":"http://x"}}}`, `{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"type":"object"}`},
		"one of several":      {`{"type":"object","properties":{"a":{"oneOf":[{"type":"string"},{"type":"number"}]}}}`, `{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"number"}]}},"type":"object"}`},
	} {
		got, err := subset(json.RawMessage(x.in))
		raw, _ := json.Marshal(got)
		if err != nil || string(raw) != x.want {
			t.Errorf("%s: %s, %v\nwant %s", name, raw, err, x.want)
		}
	}
}

// FuzzSubset shows that any schema gives a finite one, or an error.
func FuzzSubset(f *testing.F) {
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"}}}`)
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#/properties/a"},"b":{"$ref":"#/properties"}}}`)
	f.Add(`{"type":"object","properties":{"tree":{"$ref":"#/$defs/t"}},"$defs":{"t":{"type":"object","properties":{"l":{"$ref":"#/$defs/t"}}}}}`)
	f.Add(`{"type":"object","properties":{"a":{"$ref":"#"},"b":{"$ref":"#"},"c":{"$ref":"#"},"d":{"$ref":"#"},"e":{"$ref":"#"},"f":{"$ref":"#"},"g":{"$ref":"#"}}}`)
	f.Add(`{"type":"object","anyOf":[1,{"type":"null"},{"enum":[null]}]}`)
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return
		}
		out, err := subset(json.RawMessage(s))
		if err == nil && out["type"] != "object" && out["type"] != "string" {
			t.Errorf("%s gives type %v", s, out["type"])
		}
	})
}
