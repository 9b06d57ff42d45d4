package difftest

import (
	"os"
	"testing"

	original "github.com/edsrzf/mmap-go"
)

// BenchmarkMap maps a file, touches a byte, and unmaps it.
func BenchmarkMap(b *testing.B) {
	name := b.TempDir() + "/file"
	if err := os.WriteFile(name, make([]byte, page), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for _, a := range []api{originalAPI, oursAPI} {
		b.Run(a.name, func(b *testing.B) {
			for b.Loop() {
				m, err := a.mapRegion(f, -1, original.RDONLY, 0, 0)
				if err != nil {
					b.Fatal(err)
				}
				touched = m.bytes()[0]
				if err := m.Unmap(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a file, reads a byte, and closes it.
func BenchmarkOpen(b *testing.B) {
	name := b.TempDir() + "/file"
	if err := os.WriteFile(name, make([]byte, page), 0o600); err != nil {
		b.Fatal(err)
	}
	for i, name2 := range []string{"original", "ours"} {
		b.Run(name2, func(b *testing.B) {
			p := make([]byte, 1)
			for b.Loop() {
				r, err := openers[i](name)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := r.ReadAt(p, 0); err != nil {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
