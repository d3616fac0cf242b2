package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"strings"
)

// checkFeatures reads rows "row,says,test" and says which tests did not run
// and pass. test is one or more of folder.TestName, separated by spaces.
func checkFeatures(file string, ran map[string]string) []string {
	f, err := os.Open(file)
	if err != nil {
		return []string{err.Error()}
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return []string{err.Error()}
	}
	var out []string
	for i, r := range rows {
		if i == 0 {
			continue
		}
		if len(r) != 3 || strings.TrimSpace(r[2]) == "" {
			out = append(out, fmt.Sprintf("%s:%d names no test", file, i+1))
			continue
		}
		for name := range strings.FieldsSeq(r[2]) {
			if ran[name] != "pass" {
				out = append(out, fmt.Sprintf("%s:%d row %s: test %s did not run and pass (%q)", file, i+1, r[0], name, ran[name]))
			}
		}
	}
	return out
}
