//go:build linux

package memmap

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// sealable makes two pages of memory that can be sealed.
func sealable(t *testing.T) *Mapping {
	t.Helper()
	return mustMap(t)(Anonymous(2*pageSize, &AnonConfig{Shared: true, Sealable: true, Name: "sealed"}))
}

// TestSeal tries everything after each seal.
func TestSeal(t *testing.T) {
	operations := map[string]func(t *testing.T, m *Mapping) error{
		"shrink": func(t *testing.T, m *Mapping) error { return m.file.Truncate(pageSize) },
		"grow":   func(t *testing.T, m *Mapping) error { return m.file.Truncate(4 * pageSize) },
		"write": func(t *testing.T, m *Mapping) error {
			_, err := m.file.WriteAt([]byte("x"), 0)
			return err
		},
		"store": func(t *testing.T, m *Mapping) error {
			_, err := m.WriteAt([]byte("x"), 0)
			return err
		},
		"map": func(t *testing.T, m *Mapping) error {
			again, err := MapRange(m.file, 0, pageSize, &FileConfig{Prot: Read | Write})
			if err != nil {
				return err
			}
			return again.Close()
		},
		"seal": func(t *testing.T, m *Mapping) error { return m.Seal(SealGrow) },
	}
	tests := []struct {
		seals   Seals
		forbids []string
	}{
		{0, nil},
		{SealShrink, []string{"shrink"}},
		{SealGrow, []string{"grow"}},
		{SealShrink | SealGrow, []string{"shrink", "grow"}},
		{SealSeals, []string{"seal"}},
		{SealFutureWrite, []string{"write", "map"}},
	}
	for _, tt := range tests {
		t.Run(tt.seals.String(), func(t *testing.T) {
			checkLeaks(t)
			for name, do := range operations {
				m := sealable(t)
				must(t, m.Seal(tt.seals))
				err := do(t, m)
				switch forbidden := strings.Contains(strings.Join(tt.forbids, " "), name); {
				case forbidden && !errors.Is(err, syscall.EPERM):
					t.Errorf("%s: got %v, want EPERM", name, err)
				case !forbidden && err != nil:
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

// TestSealWrite needs all writable mappings to be gone; afterwards the memory can
// only be read, and can't be made writable.
func TestSealWrite(t *testing.T) {
	checkLeaks(t)
	m := sealable(t)
	copy(m.Bytes(), "final")
	e := wantError(t, m.Seal(SealWrite), "seal", syscall.EBUSY)
	if !strings.Contains(e.Error(), "writable") {
		t.Errorf("got %q, which doesn't say why", e)
	}
	f, err := m.File()
	must(t, err)
	defer f.Close()
	must(t, m.Close())

	reader := mustMap(t)(Map(f, &FileConfig{Private: true}))
	must(t, reader.Seal(SealWrite))
	if got := string(reader.Bytes()[:5]); got != "final" {
		t.Errorf("got %q, want %q", got, "final")
	}
	_, err = Map(f, &FileConfig{Prot: Read | Write})
	e = wantError(t, err, "map", syscall.EPERM)
	if !strings.Contains(e.Error(), "sealed") {
		t.Errorf("got %q, which doesn't say why", e)
	}
	shared := mustMap(t)(Map(f, nil))
	wantError(t, shared.Protect(0, shared.Len(), Read|Write), "protect", sys.EACCES)
	private := mustMap(t)(Map(f, &FileConfig{Private: true, Prot: Read | Write}))
	copy(private.Bytes(), "mine")
	if got := string(shared.Bytes()[:5]); got != "final" {
		t.Errorf("after a private store: got %q, want %q", got, "final")
	}
}

func TestSealErrors(t *testing.T) {
	checkLeaks(t)
	plain := mustMap(t)(Anonymous(pageSize, &AnonConfig{Shared: true}))
	e := wantError(t, plain.Seal(SealShrink), "seal", syscall.EPERM)
	if !strings.Contains(e.Error(), "Sealable") {
		t.Errorf("got %q, which doesn't say what to do", e)
	}
	private := mustMap(t)(Anonymous(pageSize, nil))
	wantError(t, private.Seal(SealShrink), "seal", ErrPrivate)
	file := mustMap(t)(Open(makePath(t, pattern(1)), nil))
	if err := file.Seal(SealShrink); err == nil {
		t.Error("sealed an ordinary file")
	}
	m := sealable(t)
	wantError(t, m.Seal(SealFutureWrite<<1), "seal", sys.EINVAL)
	must(t, m.Close())
	wantError(t, m.Seal(0), "seal", ErrClosed)
	_, err := Anonymous(pageSize, &AnonConfig{Sealable: true})
	wantError(t, err, "map", sys.EINVAL)
}

func TestSealsString(t *testing.T) {
	for s, want := range map[Seals]string{
		0: "", SealSeals: "seal", SealShrink | SealGrow: "shrink|grow", SealWrite | SealFutureWrite: "write|future_write",
	} {
		if got := s.String(); got != want {
			t.Errorf("%d: got %q, want %q", uint8(s), got, want)
		}
	}
}
