package journaltest_test

import (
	"testing"

	"go.uber.org/goleak"

	"flametree/persist/journal"
	"flametree/persist/journal/journaltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryKeepsTheContract(t *testing.T) {
	journaltest.Run(t, func(*testing.T) journal.Journal { return journaltest.NewMemory() })
}
