// Package example holds the scenario that newcomers begin with. It is a file as
// anybody could have written it.
package example

import _ "embed"

//go:embed bank.scenario.yaml
var bank string

// Text is a scenario of the demo agent with a remark on each part.
func Text() string { return bank }
