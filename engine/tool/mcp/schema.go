package mcp

import (
	"errors"

	"flametree/engine/tool/remote"
)

var errNoObject = errors.New("the schema is no object of type object")

// compile makes a schema of what a server declared.
func compile(declared any) (*remote.Schema, error) {
	root, ok := declared.(map[string]any)
	if !ok {
		return nil, errNoObject
	}
	flat, err := remote.NewWriter(root, remote.Dialect{}).Write(root)
	if err != nil {
		return nil, err
	}
	return remote.Compile(flat)
}
