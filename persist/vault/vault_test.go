package vault_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"flametree/engine/fault"
	"flametree/engine/tenant"
	"flametree/persist/vault"
)

var one, two = tenant.ID{0: 1}, tenant.ID{0: 2}

func seal(k vault.Key, text string) []byte {
	return k.AEAD.Seal(nil, make([]byte, 12), []byte(text), nil)
}

func TestMasterKeyIsMadeOnceAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "master.key")
	v, err := vault.Open(path)
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.EqualValues(t, 32, info.Size())
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing is left beside the key")

	tn, wrapped := v.NewTenant(one)
	again, err := vault.Open(path)
	require.NoError(t, err)
	tn2, err := again.Tenant(one, wrapped)
	require.NoError(t, err)
	require.Equal(t, tn.Key().ID, tn2.Key().ID)
	require.Equal(t, seal(tn.Key(), "x"), seal(tn2.Key(), "x"))
}

func TestMasterKeyThatLooksWrongIsRefused(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		size int
		mode os.FileMode
	}{
		"too short":           {31, 0o600},
		"empty":               {0, 0o600},
		"readable for others": {32, 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, make([]byte, c.size), c.mode))
			_, err := vault.Open(path)
			require.ErrorIs(t, err, fault.Invalid)
			require.ErrorContains(t, err, path)
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Len(t, left, c.size, "it is not replaced")
		})
	}
}

func TestKeysOpenOnlyAtTheirPlace(t *testing.T) {
	v := vault.New([32]byte{1})
	tn, wrappedTenant := v.NewTenant(one)
	k, wrapped := tn.NewPerson("anna")
	require.NotZero(t, k.ID)

	back, err := v.Tenant(one, wrappedTenant)
	require.NoError(t, err)
	person, err := back.Person("anna", wrapped)
	require.NoError(t, err)
	require.Equal(t, seal(k, "hello"), seal(person, "hello"))

	other, _ := v.NewTenant(two)
	flipped := bytes.Clone(wrapped)
	flipped[3] ^= 1 // of the id
	for name, f := range map[string]func() error{
		"another subject":         func() error { _, err := back.Person("bert", wrapped); return err },
		"another tenant's person": func() error { _, err := other.Person("anna", wrapped); return err },
		"another tenant":          func() error { _, err := v.Tenant(two, wrappedTenant); return err },
		"another master key":      func() error { _, err := vault.New([32]byte{2}).Tenant(one, wrappedTenant); return err },
		"another id":              func() error { _, err := back.Person("anna", flipped); return err },
		"cut":                     func() error { _, err := back.Person("anna", wrapped[:40]); return err },
		"a tenant's as a person's": func() error {
			_, err := back.Person("anna", wrappedTenant)
			return err
		},
	} {
		require.ErrorIs(t, f(), fault.Invalid, name)
	}
	second, _ := tn.NewPerson("anna")
	require.NotEqual(t, k.ID, second.ID)
}

func TestFilesComeBackWhole(t *testing.T) {
	tn, _ := vault.New([32]byte{1}).NewTenant(one)
	k, _ := tn.NewPerson("anna")
	for _, size := range []int{0, 1, 65535, 65536, 65537, 131072, 300001} {
		plain := bytes.Repeat([]byte("recording "), size/10+1)[:size]
		var sealed bytes.Buffer
		n, err := vault.SealFile(&sealed, iotest.HalfReader(bytes.NewReader(plain)), k, "call/1")
		require.NoError(t, err)
		require.EqualValues(t, sealed.Len(), n)
		r, err := vault.OpenFile(iotest.HalfReader(bytes.NewReader(sealed.Bytes())), k, "call/1")
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, got), "size %d", size)

		_, err = vault.OpenFile(bytes.NewReader(sealed.Bytes()), k, "call/2")
		require.ErrorIs(t, err, fault.Invalid)
	}
}

func TestAFileThatWasChangedOrCutOffIsNoticed(t *testing.T) {
	tn, _ := vault.New([32]byte{1}).NewTenant(one)
	k, _ := tn.NewPerson("anna")
	var buf bytes.Buffer
	_, err := vault.SealFile(&buf, bytes.NewReader(make([]byte, 200_000)), k, "call/1")
	require.NoError(t, err)
	whole := buf.Bytes()
	chunk := 65536 + 16
	head := len(whole) - (200_000 + 4*16)
	read := func(b []byte) error {
		r, err := vault.OpenFile(bytes.NewReader(b), k, "call/1")
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return err
	}
	require.NoError(t, read(whole))
	swapped := bytes.Clone(whole)
	copy(swapped[head:], whole[head+chunk:head+2*chunk])
	copy(swapped[head+chunk:], whole[head:head+chunk])
	require.ErrorIs(t, read(swapped), fault.Invalid, "two chunks swapped")
	require.ErrorIs(t, read(whole[:head+chunk]), fault.Invalid, "cut off between chunks")
	require.ErrorIs(t, read(append(bytes.Clone(whole), 0)), fault.Invalid, "something added")
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(whole)-1).Draw(t, "at")
		if rapid.Bool().Draw(t, "cut") {
			require.ErrorIs(t, read(whole[:at]), fault.Invalid)
			return
		}
		changed := bytes.Clone(whole)
		changed[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		require.ErrorIs(t, read(changed), fault.Invalid)
	})
}

func TestABrokenSourceIsNotTheEnd(t *testing.T) {
	tn, _ := vault.New([32]byte{1}).NewTenant(one)
	k, _ := tn.NewPerson("anna")
	broken := errors.New("broken disk")
	for _, size := range []int{10, 65536, 100_000} {
		var sealed bytes.Buffer
		src := io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(broken))
		_, err := vault.SealFile(&sealed, src, k, "call/1")
		require.ErrorIs(t, err, broken)
		r, err := vault.OpenFile(&sealed, k, "call/1")
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		require.ErrorIs(t, err, fault.Invalid, "what was written must not open")
	}
}

func FuzzOpenFile(f *testing.F) {
	tn, _ := vault.New([32]byte{1}).NewTenant(one)
	k, _ := tn.NewPerson("anna")
	var buf bytes.Buffer
	_, err := vault.SealFile(&buf, bytes.NewReader([]byte("hello")), k, "n")
	require.NoError(f, err)
	f.Add(buf.Bytes())
	f.Add([]byte("FTSEAL1\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := vault.OpenFile(bytes.NewReader(b), k, "n")
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if err != nil {
			require.ErrorIs(t, err, fault.Invalid)
			return
		}
		require.Equal(t, buf.Bytes(), b, "only the genuine file opens")
	})
}

func TestAFileKeyOpensOnlyAtItsPlace(t *testing.T) {
	tn, _ := vault.New([32]byte{1}).NewTenant(one)
	k, _ := tn.NewPerson("anna")
	other, _ := tn.NewPerson("bert")
	file, head := vault.FileKey(k, "call/1")
	sealed := seal(vault.Key{AEAD: file}, "sound")
	back, err := vault.OpenFileKey(k, "call/1", head)
	require.NoError(t, err)
	require.Equal(t, sealed, seal(vault.Key{AEAD: back}, "sound"))
	again, _ := vault.FileKey(k, "call/1")
	require.NotEqual(t, sealed, seal(vault.Key{AEAD: again}, "sound"), "each file has a key of its own")

	flipped := bytes.Clone(head)
	flipped[len(flipped)-1] ^= 1
	for name, f := range map[string]func() error{
		"another call":   func() error { _, err := vault.OpenFileKey(k, "call/2", head); return err },
		"another person": func() error { _, err := vault.OpenFileKey(other, "call/1", head); return err },
		"changed":        func() error { _, err := vault.OpenFileKey(k, "call/1", flipped); return err },
		"cut":            func() error { _, err := vault.OpenFileKey(k, "call/1", head[:20]); return err },
		"empty":          func() error { _, err := vault.OpenFileKey(k, "call/1", nil); return err },
	} {
		require.ErrorIs(t, f(), fault.Invalid, name)
	}
}
