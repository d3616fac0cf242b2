package mcp_test

import (
	"strings"
	"testing"
	"time"

	"flametree/engine/tool"
	"flametree/engine/tool/mcp"
	"flametree/engine/tool/tooltest"
)

// The suite of all runners, over each transport.
func TestContractOfTools(t *testing.T) {
	for _, kind := range []mcp.Transport{mcp.Stdio, mcp.HTTPSSE, mcp.StreamableHTTP} {
		t.Run(string(kind), func(t *testing.T) {
			s := mcp.Server{Transport: kind, Timeout: 1900 * time.Millisecond}
			if kind != mcp.Stdio {
				s.Endpoint = url(kind, start(t, string(kind), "127.0.0.1:0").addr)
			}
			tooltest.Run(t, func(t *testing.T) tooltest.Subject {
				return tooltest.Subject{
					Runner: reach(t, s, mcp.Options{}),
					Good:   tool.Call{Name: "SHOP_math_sum", Args: []byte(`{"a":1,"b":2}`)},
					Slow:   tool.Call{Name: "SHOP_wait", Args: []byte(`{}`)},
					Bad:    tool.Call{Name: "SHOP_fail", Args: []byte(`{}`)},
					Large:  tool.Call{Name: "SHOP_echo", Args: []byte(`{"text":"` + strings.Repeat("\u2028", tool.MaxResult/4) + `"}`)},
				}
			})
		})
	}
}
