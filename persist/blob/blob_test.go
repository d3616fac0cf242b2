package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"flametree/engine/fault"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

func TestABlobIsNamedByWhatItHolds(t *testing.T) {
	s, err := Open(t.TempDir())
	require.NoError(t, err)
	name, err := s.Put(text("hello"))
	require.NoError(t, err)
	sum := sha256.Sum256([]byte("hello"))
	require.Equal(t, hex.EncodeToString(sum[:]), name)
	r, err := s.Get(name)
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	again, err := s.Put(text("hello"))
	require.NoError(t, err)
	require.Equal(t, name, again, "storing it twice keeps one")
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir)
	require.NoError(t, err)
	broken := errors.New("source broke")
	_, err = s.Put(func(w io.Writer) error { _, _ = io.WriteString(w, "half"); return broken })
	require.ErrorIs(t, err, broken)
	left, err := filepath.Glob(filepath.Join(dir, "new-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestNamesThatAreNone(t *testing.T) {
	s, err := Open(t.TempDir())
	require.NoError(t, err)
	for _, name := range []string{"", "../../etc/passwd", "ab", "zz"} {
		_, err := s.Get(name)
		require.ErrorIs(t, err, fault.Invalid, name)
	}
	_, err = s.Get(hex.EncodeToString(make([]byte, 32)))
	require.ErrorIs(t, err, fault.NotFound)
	require.NotErrorIs(t, err, os.ErrPermission)
}

func TestAFinishedFileIsAdoptedAndDeletedOnce(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(filepath.Join(dir, "blob"))
	require.NoError(t, err)
	path := filepath.Join(dir, "spool")
	require.NoError(t, os.WriteFile(path, []byte("hello"), 0o600))
	name, err := s.Adopt(path, sha256.Sum256([]byte("hello")))
	require.NoError(t, err)
	same, err := s.Put(text("hello"))
	require.NoError(t, err)
	require.Equal(t, same, name, "it is named as Put names it")
	again, err := s.Adopt(path, sha256.Sum256([]byte("hello")))
	require.NoError(t, err, "who was stopped half-way adopts again")
	require.Equal(t, name, again)
	require.NoError(t, os.Remove(path))
	_, err = s.Adopt(path, sha256.Sum256([]byte("hello")))
	require.ErrorIs(t, err, fault.NotFound)
	r, err := s.Get(name)
	require.NoError(t, err, "it has a name of its own")
	require.NoError(t, r.Close())

	require.NoError(t, s.Delete(name))
	_, err = s.Get(name)
	require.ErrorIs(t, err, fault.NotFound)
	require.NoError(t, s.Delete(name), "who was stopped half-way deletes again")
	require.ErrorIs(t, s.Delete("../x"), fault.Invalid)
}
