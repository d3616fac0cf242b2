package agent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/event"
	"flametree/engine/fault"
)

func TestMaskTakesSecretsOutAndNothingElse(t *testing.T) {
	for name, c := range map[string]struct{ env, want string }{
		"plain":               {"  A: {value: hunter22, secret: true}\n  B: x\n", "  A: {value: \"**********\", secret: true}\n  B: x\n"},
		"single quotes":       {"  A: {value: 'hun''ter, 22', secret: true} # c\n", "  A: {value: \"**********\", secret: true} # c\n"},
		"double quotes":       {"  A: {secret: yes, value: \"hun\\\"ter\"}\n", "  A: {secret: yes, value: \"**********\"}\n"},
		"a number":            {"  A: {value: 12345678, secret: true}\n", "  A: {value: \"**********\", secret: true}\n"},
		"after a wide letter": {"  Ä: {value: hunter22, secret: true}\n", "  Ä: {value: \"**********\", secret: true}\n"},
		"a block":             {"  A:\n    secret: true\n    value: |\n      -----BEGIN\n\n      x\n      -----END\n  B: y\n", "  A:\n    secret: true\n    value: \"**********\"\n  B: y\n"},
		"a folded block":      {"  A:\n    value: >-\n      hunter22\n      hunter23\n    secret: true\n", "  A:\n    value: \"**********\"\n    secret: true\n"},
		"repeated elsewhere":  {"  A: {value: hunter22, secret: true}\n  B: https://hunter22@x.example # hunter22\n", "  A: {value: \"**********\", secret: true}\n  B: https://**********@x.example # **********\n"},
		"an anchor":           {"  A: {value: &k hunter22, secret: true}\n  B: {value: *k, secret: true}\n", "  A: {value: &k \"**********\", secret: true}\n  B: {value: *k, secret: true}\n"},
		"no secret":           {"  A: {value: hunter22, secret: false}\n  B: hunter23\n", "  A: {value: hunter22, secret: false}\n  B: hunter23\n"},
		"masked already":      {"  A: {value: '**********', secret: true}\n", "  A: {value: '**********', secret: true}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			const head, tail = "name: x # kept\ntask: |\n  Über\n", "limits: {daily: 1}\n"
			got, keys, err := Mask(head+"env:\n"+c.env+tail, false)
			require.NoError(t, err)
			require.Equal(t, head+"env:\n"+c.want+tail, got)
			if name != "no secret" {
				require.Contains(t, keys, strings.TrimSpace(strings.SplitN(c.env, ":", 2)[0]))
			}
			again, _, err := Mask(got, false)
			require.NoError(t, err)
			require.Equal(t, got, again)
		})
	}
}

func TestMaskReachesToolGroupsAndNamesThatSoundSecret(t *testing.T) {
	file := "name: x\ntool_groups:\n  - name: CRM\n    env:\n      K: {value: hunter22, secret: true}\nenv:\n  CRM_API_KEY: hunter23\n  LLM_MAX_TOKENS: 100\n"
	got, keys, err := Mask(file, true)
	require.NoError(t, err)
	require.Equal(t, []string{"CRM_API_KEY", "CRM/K"}, keys)
	require.NotContains(t, got, "hunter2")
	require.Contains(t, got, "LLM_MAX_TOKENS: 100")
	s, _, err := Parse([]byte(got))
	require.NoError(t, err)
	require.Equal(t, []string{"CRM_API_KEY", "CRM/K"}, s.Masked())

	got, _, err = Mask(file, false)
	require.NoError(t, err)
	require.Contains(t, got, "hunter23")

	_, _, err = Mask("name: [", true)
	require.ErrorIs(t, err, fault.Invalid)
	_, _, err = Mask("name: x\nenv:\n  A:\n    secret: true\n    value: hunter22\n      hunter23\n", false)
	require.ErrorIs(t, err, fault.Invalid)
	require.NotContains(t, err.Error(), "hunter")
}

// However a secret is written, either it is gone from the file or there is an
// error.
func TestNoSecretSurvivesMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`[a-z"'\\:#{}|> éü,-]{0,6}canary[a-z"'\\:#{}|> éü\n,-]{0,12}`).Draw(t, "secret")
		written := rapid.SampledFrom([]func(string) string{
			quote,
			func(s string) string { return Scalar(s, 6) },
			func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" },
			func(s string) string { return "|\n      " + strings.ReplaceAll(s, "\n", "\n      ") },
			func(s string) string { return s },
		}).Draw(t, "form")(secret)
		file := "name: x\nenv:\n  A:\n    value: " + written + "\n    secret: true\n  B: b\n"
		got, _, err := Mask(file, false)
		if err != nil {
			return
		}
		before, _, err := Parse([]byte(file))
		if err != nil {
			t.Fatal(err)
		}
		if len(before.Env) == 2 && before.Secret("A") && strings.Contains(before.Env[0].Value, "canary") && strings.Contains(got, "canary") {
			t.Fatalf("%q\n%s", file, got)
		}
	})
}

func TestEditChangesOneKeyAndLeavesTheRest(t *testing.T) {
	base := "# my agent\nname: Old # c\n\n# what it does\ntask: |\n  One.\n\n  Two.\n# variables\nenv:\n  LLM_MAX_TOKENS: 5\ntool_groups:\n- A\n- B\n"
	for name, c := range map[string]struct {
		key, value, want string
	}{
		"a text":       {"name", "New: one", "# my agent\nname: \"New: one\"\n\n# what it does\ntask: |\n  One.\n\n  Two.\n# variables\nenv:\n  LLM_MAX_TOKENS: 5\ntool_groups:\n- A\n- B\n"},
		"a block":      {"task", "Three.\nFour.", "# my agent\nname: Old # c\n\n# what it does\ntask: |\n  Three.\n  Four.\n# variables\nenv:\n  LLM_MAX_TOKENS: 5\ntool_groups:\n- A\n- B\n"},
		"YAML":         {"env", "RAG_TOP_K: 3\nSHOW_THOUGHTS: True", "# my agent\nname: Old # c\n\n# what it does\ntask: |\n  One.\n\n  Two.\n# variables\nenv:\n  RAG_TOP_K: 3\n  SHOW_THOUGHTS: True\ntool_groups:\n- A\n- B\n"},
		"a list":       {"tool_groups", "- C", "# my agent\nname: Old # c\n\n# what it does\ntask: |\n  One.\n\n  Two.\n# variables\nenv:\n  LLM_MAX_TOKENS: 5\ntool_groups:\n  - C\n"},
		"taken out":    {"env", "", "# my agent\nname: Old # c\n\n# what it does\ntask: |\n  One.\n\n  Two.\n# variables\ntool_groups:\n- A\n- B\n"},
		"a new key":    {"identity", "You are \"X\".", base + "identity: \"You are \\\"X\\\".\"\n"},
		"nothing is 0": {"identity", " ", base},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Edit(base, []event.Pair{{Key: c.key, Value: c.value}})
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
	_, err := Edit(base, []event.Pair{{Key: "nam", Value: "x"}})
	require.ErrorIs(t, err, fault.Invalid)
	_, err = Edit(base, []event.Pair{{Key: "name"}})
	require.EqualError(t, err, "file 4:1: the agent needs a name")
	_, err = Edit("{name: x}", []event.Pair{{Key: "task", Value: "y"}})
	require.ErrorIs(t, err, fault.Invalid)
}

func TestScalarIsReadBackAsItWas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ a-zA-Z:#\-"'\n\t{}\[\]|>&*!%@,?~]{0,80}`)).Draw(t, "text")
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\x00", ""), "\r\n", "\n")
		s, _, err := Parse(fmt.Appendf(nil, "name: x\ntask: %s\nidentity: after\n", Scalar(text, 2)))
		if err != nil {
			t.Fatalf("%q: %v", Scalar(text, 2), err)
		}
		if s.Task != strings.TrimSpace(text) || s.Identity != "after" {
			t.Fatalf("%q became %q", text, s.Task)
		}
	})
}
