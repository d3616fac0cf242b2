// Package recordtest seals recordings of tests and opens them again. It keeps
// no secret: its key is known to everybody.
package recordtest

import (
	"crypto/aes"
	"crypto/cipher"
	"os"
	"testing"

	"flametree/media/record"
	"flametree/media/wav"
)

// Key is a key that is always the same.
func Key(t testing.TB) cipher.AEAD {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

// Seal is a seal with Key.
func Seal(t testing.TB, name string) record.Seal {
	t.Helper()
	return record.Seal{AEAD: Key(t), Head: []byte("the key is zero"), Name: name}
}

// Read opens a finished recording that Seal sealed.
func Read(t testing.TB, path, name string) wav.Audio {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s, err := record.Open(f, info.Size(), name, func([]byte) (cipher.AEAD, error) { return Key(t), nil })
	if err != nil {
		t.Fatal(err)
	}
	a, err := wav.Read(s, wav.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}
