package journaltest

import (
	"fmt"
	"slices"
	"time"

	"flametree/engine/fault"
	"flametree/persist/journal"
)

// check refuses what can never be appended.
func check(b journal.Batch) error {
	switch {
	case b.Stream.Kind == "" || b.Stream.ID == "":
		return fmt.Errorf("journal: stream without kind or id: %w", fault.Invalid)
	case len(b.Events)+len(b.Seen)+len(b.Claim)+len(b.Free)+len(b.Due)+len(b.Done) == 0:
		return fmt.Errorf("journal: an empty batch: %w", fault.Invalid)
	case b.At.Before(time.UnixMilli(0)):
		return fmt.Errorf("journal: a batch at %v: %w", b.At, fault.Invalid)
	}
	for _, keys := range [][]journal.Key{b.Seen, b.Claim, b.Free} {
		once := map[journal.Key]bool{}
		for _, k := range keys {
			if k.Space == "" || k.Name == "" || once[k] {
				return fmt.Errorf("journal: a key that is empty or named twice: %w", fault.Invalid)
			}
			once[k] = true
		}
	}
	once := map[journal.DueID]bool{}
	for _, d := range b.Due {
		if d.ID == "" || once[d.ID] || d.Stream.Kind == "" || d.Stream.ID == "" ||
			d.Stream.Tenant != b.Stream.Tenant || d.At.Before(time.UnixMilli(0)) {
			return fmt.Errorf("journal: due %q: %w", d.ID, fault.Invalid)
		}
		once[d.ID] = true
	}
	if slices.Contains(b.Done, "") {
		return fmt.Errorf("journal: done without an id: %w", fault.Invalid)
	}
	return nil
}
