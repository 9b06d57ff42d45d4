package memmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
)

// TestScan collects a range block by block.
func TestScan(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	content := pattern(9*pageSize + 77)
	m := mustMap(t)(MapRange(makeFile(t, content), 33, int64(len(content))-33, &FileConfig{Prot: Read | Write}))
	content = content[33:]
	size := int64(len(content))
	for _, tt := range []struct{ off, n, size int64 }{
		{0, size, 0}, {0, size, pageSize}, {0, size, 1000}, {5, size - 5, 4099}, {100, 3, 1}, {pageSize, 0, 10}, {size, 0, 0}, {7, 11, 1 << 40},
	} {
		var got []byte
		at := tt.off
		err := m.Scan(t.Context(), tt.off, tt.n, tt.size, func(off int64, b []byte) error {
			if off != at || tt.size > 0 && int64(len(b)) > tt.size || len(b) == 0 || cap(b) != len(b) {
				t.Errorf("%v: block at %d of %d bytes, capacity %d", tt, off, len(b), cap(b))
			}
			got, at = append(got, b...), off+int64(len(b))
			return nil
		})
		if err != nil {
			t.Fatalf("%v: %v", tt, err)
		}
		wantBytes(t, fmt.Sprint(tt), got, content[tt.off:][:tt.n])
	}
}

// TestScanLoads finds the block that comes next loaded, more or less, while it works
// on one.
func TestScanLoads(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(64*pageSize)), nil))
	blocks := 0
	err := m.Scan(t.Context(), 0, m.Len(), pageSize, func(off int64, b []byte) error {
		blocks++
		if !m.now.Load().known.has(off, len(b)) {
			t.Errorf("block at %d is not loaded", off)
		}
		return nil
	})
	if err != nil || blocks != 64 {
		t.Errorf("got %d blocks, %v", blocks, err)
	}
}

func TestScanEnds(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(8*pageSize))
	ours := errors.New("ours")
	ctx, cancel := context.WithCancel(t.Context())
	tests := []struct {
		name   string
		fn     func(m *Mapping, off int64) error
		causes []error
		off    int64 // of an *Error
	}{
		{"error of the function", func(_ *Mapping, off int64) error {
			if off == 2*pageSize {
				return ours
			}
			return nil
		}, []error{ours}, -1},
		{"context", func(_ *Mapping, off int64) error {
			if off == 3*pageSize {
				cancel()
			}
			return nil
		}, []error{context.Canceled}, 4 * pageSize},
		{"truncated", func(_ *Mapping, off int64) error {
			if off == pageSize {
				return f.Truncate(5 * pageSize)
			}
			return nil
		}, []error{ErrFault, ErrTruncated}, 5 * pageSize},
		{"closed", func(m *Mapping, off int64) error {
			if off == pageSize {
				return m.Close()
			}
			return nil
		}, []error{ErrClosed}, 2 * pageSize},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := f.Truncate(8 * pageSize); err != nil {
				t.Fatal(err)
			}
			m := mustMap(t)(Map(f, nil))
			ctx := ctx
			if tt.name != "context" {
				ctx = t.Context()
			}
			last := int64(-1)
			err := m.Scan(ctx, 0, 8*pageSize, pageSize, func(off int64, b []byte) error {
				last = off
				touched = bytes.Clone(b)[0]
				return tt.fn(m, off)
			})
			if tt.off < 0 {
				if err != ours || last != 2*pageSize {
					t.Errorf("got %v after the block at %d", err, last)
				}
				return
			}
			if e := wantError(t, err, "scan", tt.causes...); roundDown(e.Off, pageSize) != tt.off {
				t.Errorf("got an error at %d, want %d", e.Off, tt.off)
			}
		})
	}
}

func TestScanErrors(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Anonymous(pageSize, nil))
	never := func(int64, []byte) error { t.Error("called"); return nil }
	for _, bad := range [][3]int64{{-1, 1, 0}, {0, -1, 0}, {0, pageSize + 1, 0}, {1, pageSize, 0}, {0, 1, -1}, {1<<63 - 1, 1, 1}} {
		wantError(t, m.Scan(t.Context(), bad[0], bad[1], bad[2], never), "scan", ErrRange)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, m.Scan(t.Context(), 0, 0, 0, never), "scan", ErrClosed)
}
