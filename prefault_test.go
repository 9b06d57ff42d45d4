//go:build linux

package memmap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// TestPrefault loads the middle two of four pages, and looks at what this process
// has then.
func TestPrefault(t *testing.T) {
	tests := []struct {
		name   string
		make   func(f *os.File) (*Mapping, error)
		access Prot
		copies int64 // pages of this process's own
	}{
		{"write anonymous", func(*os.File) (*Mapping, error) { return Anonymous(4*pageSize, nil) }, Write, 2},
		{"write shared anonymous", func(*os.File) (*Mapping, error) {
			return Anonymous(4*pageSize, &AnonConfig{Shared: true})
		}, Write, 0},
		{"read a private file", func(f *os.File) (*Mapping, error) {
			return Map(f, &FileConfig{Private: true, Prot: Read | Write})
		}, Read, 0},
		{"write a private file", func(f *os.File) (*Mapping, error) {
			return Map(f, &FileConfig{Private: true, Prot: Read | Write})
		}, Write, 2},
		{"read a shared file", func(f *os.File) (*Mapping, error) { return Map(f, nil) }, Read, 0},
		{"write a shared file", func(f *os.File) (*Mapping, error) {
			return Map(f, &FileConfig{Prot: Read | Write})
		}, Write, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			m := mustMap(t)(tt.make(makeFile(t, pattern(4*pageSize))))
			must(t, m.Advise(0, m.Len(), Random)) // no page more than was asked for
			must(t, m.Prefault(t.Context(), pageSize+1, pageSize, tt.access))
			if got := smapsBytes(t, m, "Anonymous"); got != tt.copies*pageSize {
				t.Errorf("got %d bytes of copies, want %d pages", got, tt.copies)
			}
			if m.file != nil && tt.copies == 0 {
				if got := smapsBytes(t, m, "Rss"); got < 2*pageSize {
					t.Errorf("got %d bytes resident, want 2 pages at least", got)
				}
			}
		})
	}
}

// TestPrefaultBlocks gets the holes in a file their blocks.
func TestPrefaultBlocks(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, nil)
	must(t, f.Truncate(16*pageSize))
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
	blocks := func() int64 {
		var st syscall.Stat_t
		must(t, syscall.Fstat(int(f.Fd()), &st))
		return st.Blocks * 512
	}
	must(t, m.Prefault(t.Context(), 0, m.Len(), Read))
	if got := blocks(); got != 0 {
		t.Errorf("reading has got the file %d bytes of blocks", got)
	}
	must(t, m.Prefault(t.Context(), 0, m.Len(), Write))
	must(t, f.Sync()) // blocks are chosen when they are written
	if got := blocks(); got < 16*pageSize {
		t.Errorf("got %d bytes of blocks, want %d", got, 16*pageSize)
	}
}

// TestPrefaultCanceled ends the context after some steps. What was loaded stays, and
// no more is begun.
func TestPrefaultCanceled(t *testing.T) {
	checkLeaks(t)
	const steps = 12
	for _, asked := range []int64{0, 1, 3, steps} {
		m := mustMap(t)(Anonymous(steps*prefaultStep, nil))
		must(t, m.Advise(0, m.Len(), NoHugePage))
		ctx, cancel := context.WithCancel(t.Context())
		if asked == 0 {
			cancel()
		}
		var last int64
		err := m.PrefaultFunc(ctx, 0, m.Len(), Write, func(loaded int64) {
			if loaded != last+prefaultStep {
				t.Errorf("%d bytes are loaded, before it were %d", loaded, last)
			}
			if last = loaded; loaded == asked*prefaultStep {
				cancel()
			}
		})
		cancel()
		if asked < steps {
			wantError(t, err, "prefault", context.Canceled)
		} else {
			must(t, err)
		}
		rss := smapsBytes(t, m, "Rss")
		if rss != last || last < asked*prefaultStep || last > (asked+maxPrefaulters)*prefaultStep {
			t.Errorf("canceled after %d steps: %d bytes were reported, and %d are loaded", asked, last, rss)
		}
		must(t, m.Close())
	}
}

// TestPrefaultFirstError reports the first page that can't be had, whoever finds it.
func TestPrefaultFirstError(t *testing.T) {
	checkLeaks(t)
	const steps = 6
	m := mustMap(t)(Anonymous(steps*prefaultStep, nil))
	first := int64(2*prefaultStep + 5*pageSize)
	for at := first; at < m.Len(); at += prefaultStep {
		must(t, m.Protect(at, pageSize, None))
	}
	for range 20 {
		if e := wantError(t, m.Prefault(t.Context(), 0, m.Len(), Read), "prefault", ErrProtected); e.Off != first {
			t.Fatalf("got an error at %d, want %d", e.Off, first)
		}
	}
}

// TestPrefaultFails names the page that can't be had; those before it are loaded.
func TestPrefaultFails(t *testing.T) {
	const delta = 100
	tests := []struct {
		name   string
		spoil  func(t *testing.T, f *os.File, m *Mapping)
		access Prot
		off    int64 // where it fails
		want   error
	}{
		{"truncated", func(t *testing.T, f *os.File, _ *Mapping) { must(t, f.Truncate(2*pageSize)) },
			Read, 2*pageSize - delta, ErrTruncated},
		{"truncated, for stores", func(t *testing.T, f *os.File, _ *Mapping) { must(t, f.Truncate(2*pageSize)) },
			Write, 2*pageSize - delta, ErrTruncated},
		{"truncated to nothing", func(t *testing.T, f *os.File, _ *Mapping) { must(t, f.Truncate(0)) },
			Read, 0, ErrTruncated},
		{"protected", func(t *testing.T, _ *os.File, m *Mapping) { must(t, m.Protect(pageSize-delta, pageSize, None)) },
			Read, pageSize - delta, ErrProtected},
		{"read-only", func(t *testing.T, _ *os.File, m *Mapping) { must(t, m.Protect(2*pageSize-delta, pageSize, Read)) },
			Write, 2*pageSize - delta, ErrProtected},
		{"unmapped", func(t *testing.T, _ *os.File, m *Mapping) { must(t, m.Unmap(pageSize-delta, pageSize)) },
			Read, pageSize - delta, ErrUnmapped},
		{"guard page", func(t *testing.T, _ *os.File, m *Mapping) {
			needGuardPages(t, m.InstallGuard(2*pageSize-delta, pageSize))
		}, Read, 2*pageSize - delta, ErrProtected},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			checkLeaks(t)
			f := makeFile(t, pattern(4*pageSize))
			m := mustMap(t)(MapRange(f, delta, 4*pageSize-delta, &FileConfig{Prot: Read | Write}))
			tt.spoil(t, f, m)
			e := wantError(t, m.Prefault(t.Context(), 0, m.Len(), tt.access), "prefault", ErrFault, tt.want)
			if e.Off != tt.off {
				t.Errorf("got an error at %d, want %d", e.Off, tt.off)
			}
			if tt.off > 0 {
				must(t, m.Prefault(t.Context(), 0, tt.off, tt.access))
			}
		})
	}
}

func TestPrefaultErrors(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(2*pageSize, nil))
	for _, access := range []Prot{0, None, Exec, Read | Write} {
		wantError(t, m.Prefault(t.Context(), 0, 1, access), "prefault", sys.EINVAL)
	}
	wantError(t, m.Prefault(t.Context(), pageSize, pageSize+1, Read), "prefault", ErrRange)
	must(t, m.Prefault(t.Context(), 2*pageSize, 0, Read))
	must(t, mustMap(t)(Anonymous(0, nil)).Prefault(t.Context(), 0, 0, Read))
	must(t, m.Close())
	wantError(t, m.Prefault(t.Context(), 0, 0, Read), "prefault", ErrClosed)
}

// TestPrefaultUnderRemap moves a mapping while it is prefaulted, which goes on in
// the new place.
func TestPrefaultUnderRemap(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(64*pageSize, nil))
	stop := make(chan struct{})
	started := make(chan struct{}, 4)
	var prefaulting sync.WaitGroup
	for _, access := range []Prot{Read, Write} {
		prefaulting.Go(func() {
			for {
				if err := m.Prefault(t.Context(), 0, 64*pageSize, access); err != nil {
					t.Error(err)
					started <- struct{}{}
					return
				}
				select {
				case <-stop:
					return
				case started <- struct{}{}:
				default:
				}
			}
		})
	}
	<-started
	<-started
	for i := range int64(300) {
		mustMove(t, m, (65+i)*pageSize)
	}
	close(stop)
	prefaulting.Wait()
}

// TestPrefaultUnderClose closes a mapping while it is prefaulted.
func TestPrefaultUnderClose(t *testing.T) {
	checkLeaks(t)
	for range 50 {
		m := mustMap(t)(Anonymous(256*pageSize, nil))
		var prefaulting sync.WaitGroup
		prefaulting.Go(func() {
			for {
				err := m.Prefault(context.Background(), 0, 256*pageSize, Write)
				if errors.Is(err, ErrClosed) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		must(t, m.Close())
		prefaulting.Wait()
	}
}

// TestPopulate asks for all pages when the mapping is made.
func TestPopulate(t *testing.T) {
	f := makeFile(t, pattern(4*pageSize))
	tests := []struct {
		cfg    FileConfig
		copies int64
	}{
		{FileConfig{}, 0},
		{FileConfig{Private: true}, 0},
		{FileConfig{Private: true, Prot: Read | Write}, 4},
		{FileConfig{Prot: Read | Write}, 0},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%+v", tt.cfg), func(t *testing.T) {
			checkLeaks(t)
			tt.cfg.Populate = true
			m := mustMap(t)(Map(f, &tt.cfg))
			if got := smapsBytes(t, m, "Rss"); got != 4*pageSize {
				t.Errorf("got %d bytes resident, want 4 pages", got)
			}
			if got := smapsBytes(t, m, "Anonymous"); got != tt.copies*pageSize {
				t.Errorf("got %d bytes of copies, want %d pages", got, tt.copies)
			}
		})
	}
	checkLeaks(t)
	_, err := MapRange(f, 10, 5*pageSize, &FileConfig{Populate: true})
	wantError(t, err, "map", ErrFault, ErrTruncated)
}
