//go:build linux

package memmap

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// withHugePages runs a test that needs n huge pages of the default size. The pool
// belongs to the whole system, and so isn't changed here: CI fills it for a run of
// these tests alone.
func withHugePages(t *testing.T, n int64, test func()) {
	t.Helper()
	free := freeHugePages(t)
	if free < n {
		t.Skipf("%d huge pages are free, %d are needed: see vm.nr_hugepages", free, n)
	}
	test()
	if got := freeHugePages(t); got != free {
		t.Errorf("%d huge pages are free, want %d as before", got, free)
	}
}

func freeHugePages(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile("/proc/meminfo")
	must(t, err)
	n, err := strconv.ParseInt(field(text, "HugePages_Free"), 10, 64)
	if err != nil {
		t.Skip("a kernel without huge pages")
	}
	return n
}

// TestHugePages maps memory of huge pages, which are whole in all that is done to
// them.
func TestHugePages(t *testing.T) {
	checkLeaks(t)
	huge := defaultHugePage()
	withHugePages(t, 4, func() {
		for _, shared := range []bool{false, true} {
			m, err := Anonymous(huge+1, &AnonConfig{Huge: DefaultHuge, Shared: shared, Populate: true})
			must(t, err)
			b := m.Bytes()
			b[0], b[huge] = 'a', 'b'
			if m.Len() != huge+1 || string(b[0])+string(b[huge]) != "ab" {
				t.Errorf("shared %v: got %d bytes, %q, %q", shared, m.Len(), b[0], b[huge])
			}
			if got, want := smapsBytes(t, m, "KernelPageSize"), huge; got != want {
				t.Errorf("shared %v: got pages of %d bytes, want %d", shared, got, want)
			}
			wantError(t, m.Protect(0, pageSize, Read), "protect", errPartialPage)
			must(t, m.Protect(0, huge, Read))
			_, err = m.WriteAt([]byte("x"), huge-1)
			wantError(t, err, "write", ErrProtected)
			must(t, m.Resize(huge))
			if got := int64(m.now.Load().pages.n); got != huge {
				t.Errorf("shared %v: shrunk, it has %d bytes of pages, want %d", shared, got, huge)
			}
			must(t, m.Close())
		}
		ring, err := Mirror(huge, &AnonConfig{Huge: DefaultHuge})
		must(t, err)
		ring.Bytes()[huge] = 'r'
		if got := ring.Bytes()[0]; got != 'r' {
			t.Errorf("the mirror shows %q, want 'r'", got)
		}
		must(t, ring.Close())
	})
}

// TestHugePagesInRegion places huge pages at their own boundaries.
func TestHugePagesInRegion(t *testing.T) {
	checkLeaks(t)
	huge := defaultHugePage()
	r := mustReserve(t, 4*huge)
	withHugePages(t, 2, func() {
		cfg := &AnonConfig{Huge: DefaultHuge}
		_, err := r.Anonymous(huge+pageSize, huge, cfg)
		wantError(t, err, "place", sys.EINVAL)
		m, err := r.Anonymous(huge, huge, cfg)
		must(t, err)
		m.Bytes()[huge-1] = 'h'
		replaced, err := r.Anonymous(huge, huge, &AnonConfig{Huge: DefaultHuge, Replace: true})
		must(t, err)
		if got := r.Bytes()[2*huge-1]; got != 0 {
			t.Errorf("the new memory has %q", got)
		}
		wantError(t, m.Close(), "close", ErrClosed)
		copy(replaced.Bytes(), "kept")
		// They can't move, and stay as they are.
		mustMap(t)(r.Anonymous(2*huge, pageSize, nil))
		for op, do := range map[string]func() error{
			"move":       func() error { _, err := r.Move(3*huge, replaced); return err },
			"take pages": func() error { _, err := replaced.TakePages(); return err },
			"remap":      func() error { return replaced.Remap(2 * huge) },
		} {
			wantError(t, do(), op, sys.EINVAL)
			if got := string(replaced.Bytes()[:4]); got != "kept" {
				t.Errorf("%s: got %q, want %q", op, got, "kept")
			}
		}
		must(t, replaced.Close())
	})
}

// TestHugePagesMissing asks for more than there can be.
func TestHugePagesMissing(t *testing.T) {
	checkLeaks(t)
	n := (freeHugePages(t) + 1000) * defaultHugePage()
	needAddresses(t, n)
	for _, shared := range []bool{false, true} {
		_, err := Anonymous(n, &AnonConfig{Huge: DefaultHuge, Shared: shared})
		if e := wantError(t, err, "map", sys.ENOMEM); !strings.Contains(e.Error(), "free huge pages") {
			t.Errorf("shared %v: got %q, which doesn't say why", shared, e)
		}
	}
}

func TestHugePagesErrors(t *testing.T) {
	checkLeaks(t)
	for _, size := range []HugePages{-1, -Huge2M, 3, Huge2M + 1, HugePages(pageSize), 1 << 40, 1 << 62} {
		_, err := Anonymous(1, &AnonConfig{Huge: size})
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("pages of %d bytes: got %v", size, err)
		}
	}
}

func TestHugePageSize(t *testing.T) {
	for text, want := range map[string]int64{
		"MemTotal: 1 kB\nHugepagesize:       2048 kB\nDirectMap4k: 7 kB\n": 2 << 20,
		"Hugepagesize:    1048576 kB\n":                                    1 << 30,
		"Hugepagesize:     524288 kB":                                      512 << 20,
		"HugePages_Free: 7\n":                                              2 << 20, // nothing said
		"":                                                                 2 << 20,
	} {
		if got := hugePageSize([]byte(text)); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}
