// Flametree is an AI customer-operations platform: its one program serves
// calls and chats, and looks after its data. See README.md.
package main

import (
	"os"

	"flametree/cluster/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
