package node

import (
	"log/slog"
	"path/filepath"

	"flametree/cluster/config"
	"flametree/persist/blob"
	"flametree/persist/journal/pebble"
	"flametree/persist/vault"
)

// OpenJournal opens the journal of a data folder. Only one process may.
func OpenJournal(c config.Config, log *slog.Logger, fatal func(error)) (*pebble.Journal, error) {
	v, err := vault.Open(filepath.Join(c.Data, "keys", "master.key"))
	if err != nil {
		return nil, err
	}
	return pebble.Open(filepath.Join(c.Data, "journal"), pebble.Options{
		Vault: v, LowWater: lowWater(c), Ballast: c.Ballast, Log: log, Fatal: fatal,
	})
}

// OpenCopy opens a checkpoint of the journal with the keys of its data folder.
func OpenCopy(c config.Config, dir string, log *slog.Logger) (*pebble.Journal, error) {
	v, err := vault.Open(filepath.Join(c.Data, "keys", "master.key"))
	if err != nil {
		return nil, err
	}
	return pebble.Open(dir, pebble.Options{Vault: v, LowWater: 1, Log: log})
}

func openBlobs(n *Node) (*blob.Store, error) { return blob.Open(filepath.Join(n.cfg.Data, "blob")) }
