package node

import (
	"syscall"

	"flametree/cluster/config"
)

// lowWater is the free space in bytes below which new conversations are refused.
func lowWater(c config.Config) uint64 {
	low := uint64(c.DiskLow.Bytes)
	var fs syscall.Statfs_t
	if c.DiskLow.Percent > 0 && syscall.Statfs(c.Data, &fs) == nil {
		low = max(low, uint64(float64(fs.Blocks)*float64(fs.Bsize)*c.DiskLow.Percent/100))
	}
	return low
}
