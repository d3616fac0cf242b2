package dialplan_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/dialplan"
	"flametree/engine/fault"
)

func TestNumbersComeIntoOneForm(t *testing.T) {
	gb := dialplan.Plan{Country: "GB"}
	for text, want := range map[string]string{
		"+44 20 7946 0018":  "+442079460018",
		"0044 20 7946 0018": "+442079460018",
		"020 7946 0018":     "+442079460018",
		"tel:+442079460018": "+442079460018",
		"(020) 7946-0018":   "+442079460018",
		"+49 (30) 901820":   "+4930901820",
		"101":               "101",
		"2001":              "2001",
		"*72":               "*72",
		"+7 701 234 56 78":  "+77012345678",
	} {
		got, err := gb.Number(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestWhatCannotOrMustNotBeCalled(t *testing.T) {
	plans := map[string]struct {
		plan dialplan.Plan
		text string
		want fault.Kind
	}{
		"no number":                        {dialplan.Plan{}, "call me", fault.Invalid},
		"nothing":                          {dialplan.Plan{}, "  ", fault.Invalid},
		"too long":                         {dialplan.Plan{}, "+123456789012345678901234567890123", fault.Invalid},
		"line breaks":                      {dialplan.Plan{}, "+44\r\n1", fault.Invalid},
		"an emergency number":              {dialplan.Plan{Country: "GB"}, "999", fault.Denied},
		"an emergency number anywhere":     {dialplan.Plan{}, "112", fault.Denied},
		"premium":                          {dialplan.Plan{Country: "GB"}, "0909 879 0000", fault.Denied},
		"premium abroad":                   {dialplan.Plan{Country: "GB"}, "+1 900 555 0100", fault.Denied},
		"satellite":                        {dialplan.Plan{}, "+881 6 1234 5678", fault.Denied},
		"no country":                       {dialplan.Plan{}, "7946 0018 99", fault.Denied},
		"outside the allowed destinations": {dialplan.Plan{Prefixes: []string{"+44"}}, "+4930901820", fault.Denied},
		"of no plan":                       {dialplan.Plan{}, "+999 123 456", fault.Denied},
	}
	for name, p := range plans {
		t.Run(name, func(t *testing.T) {
			got, err := p.plan.Number(p.text)
			require.Error(t, err, got)
			require.Equal(t, p.want, fault.KindOf(err), err)
		})
	}
}

// dear are ranges of numbers that fraud lives on, by the plans of their countries.
func dear() []string {
	var out []string
	for _, p := range []string{
		"+1900555%04d", "+44909879%04d", "+44871123%04d", "+49900112%04d", "+33899%06d", "+4190112%04d", "+3489912%04d",
		"+88161234%04d", "+88213123%04d", "+8835100%05d", "+8701234%05d", "+979123%05d", "+3906%03d", "+2521%02d", "+37190%06d",
		"+43900123%03d", "+43930123%03d", "+61190%07d", "+3590%07d", "+4822190%03d999",
	} {
		for i := range 10 {
			out = append(out, fmt.Sprintf(p, 100+i*7))
		}
	}
	return out
}

func TestTwoHundredDearNumbersNeedPermission(t *testing.T) {
	all := dear()
	require.Len(t, all, 200)
	for _, n := range all {
		got, err := dialplan.Plan{Country: "GB"}.Number(n)
		require.Error(t, err, "%s would have been dialled as %s", n, got)
		require.Contains(t, []fault.Kind{fault.Denied, fault.Invalid}, fault.KindOf(err))
	}
	got, err := dialplan.Plan{Premium: true}.Number("+1 900 555 0100")
	require.NoError(t, err)
	require.Equal(t, "+19005550100", got)
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"+442079460018", "0044", "*#", "tel:", "+", "١٢٣", "\xff"} {
		f.Add(s, "GB", true)
	}
	f.Fuzz(func(t *testing.T, s, country string, premium bool) {
		n, err := dialplan.Plan{Country: country, Premium: premium}.Number(s)
		if err == nil {
			require.Regexp(t, `^\+?[0-9*#]{1,32}$`, n)
		}
	})
}
