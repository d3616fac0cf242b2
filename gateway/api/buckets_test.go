package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestABucketFillsAgain(t *testing.T) {
	b := buckets{perMinute: 2}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for range 2 {
		_, ok := b.take("a", now)
		require.True(t, ok)
	}
	wait, ok := b.take("a", now)
	require.False(t, ok)
	require.Equal(t, 30*time.Second, wait)
	_, ok = b.take("b", now)
	require.True(t, ok, "others are not slowed down")
	_, ok = b.take("a", now.Add(wait))
	require.True(t, ok)
}

func TestStrangersTakeABoundedMemory(t *testing.T) {
	b := buckets{perMinute: 1}
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for i := range 3 * maxBuckets {
		b.take(fmt.Sprint(i), now)
		require.LessOrEqual(t, len(b.keys), maxBuckets)
	}
}
