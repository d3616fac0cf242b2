package canary

import (
	"os"
	"testing"

	"flametree/test/house"
)

func TestMain(m *testing.M) { os.Exit(house.Main(m)) }
