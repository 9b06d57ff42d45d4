package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestCat(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 3<<20 + 17} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(i * 7)
		}
		name := filepath.Join(t.TempDir(), "in")
		if err := os.WriteFile(name, want, 0o600); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := cat(&got, name); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%d bytes came out differently", size)
		}
	}
}

func TestCatNothing(t *testing.T) {
	err := cat(new(bytes.Buffer), filepath.Join(t.TempDir(), "missing"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want %v", err, fs.ErrNotExist)
	}
}
