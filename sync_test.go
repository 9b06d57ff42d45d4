//go:build linux

package memmap

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// dirtyPages says for the pages of a mapping which of them have to be written to
// the disk yet. It looks at the reference counts of /proc/self/smaps, which come
// by areas, so each page gets one of its own.
func dirtyPages(t *testing.T, m *Mapping) string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	must(t, err)
	pages := m.now.Load().pages
	dirty := make([]byte, int64(pages.n)/pageSize)
	at := int64(-1)
	for line := range strings.Lines(string(smaps)) {
		words := strings.Fields(line)
		switch {
		case !strings.HasSuffix(words[0], ":"):
			var lo, hi uintptr
			_, err := fmt.Sscanf(words[0], "%x-%x", &lo, &hi)
			must(t, err)
			if at = -1; pages.holds(lo) {
				at = int64(lo-pages.addr) / pageSize
				dirty[at] = '-'
			}
		case at >= 0 && (words[0] == "Shared_Dirty:" || words[0] == "Private_Dirty:"):
			kB, err := strconv.Atoi(words[1])
			must(t, err)
			if kB > 0 {
				dirty[at] = 'd'
			}
		}
	}
	return string(dirty)
}

// tmpfsMagic is TMPFS_MAGIC of statfs(2).
const tmpfsMagic = 0x01021994

// makeDirty maps 6 pages of a file that is on the disk, from the given byte, and
// stores into each. They lie far apart in the file: each is an area of its own,
// see dirtyPages, and page frames are in no larger unit that would be written as
// one.
func makeDirty(t *testing.T, delta int64) *Mapping {
	t.Helper()
	const apart = 64
	f := makeFile(t, nil)
	for page := range int64(6) {
		if _, err := f.WriteAt(pattern(pageSize), page*apart*pageSize); err != nil {
			t.Fatal(err)
		}
	}
	var fs syscall.Statfs_t
	must(t, syscall.Fstatfs(int(f.Fd()), &fs))
	if int64(fs.Type) == tmpfsMagic {
		t.Skip("a file in memory is never written")
	}
	must(t, f.Sync())
	m := mustMap(t)(MapRange(f, delta, 6*pageSize-delta, &FileConfig{Prot: Read | Write}))
	for page := range int64(6) {
		off := max(0, page*pageSize-delta)
		must(t, m.RemapPages(off, (page+1)*pageSize-delta-off, page*apart*pageSize+(off+delta)%pageSize))
	}
	for off := range m.Len() {
		m.Bytes()[off] ^= 0xff
	}
	if got := dirtyPages(t, m); got != "dddddd" {
		t.Fatalf("after stores into all pages, %q are dirty", got)
	}
	return m
}

func TestSyncRange(t *testing.T) {
	const delta = 100
	tests := []struct {
		name   string
		off, n int64
		want   string
	}{
		{"all", 0, 6*pageSize - delta, "------"},
		{"nothing", pageSize, 0, "dddddd"},
		{"first byte", 0, 1, "-ddddd"},
		{"last byte of the first page", pageSize - delta - 1, 1, "-ddddd"},
		{"first byte of the second page", pageSize - delta, 1, "d-dddd"},
		{"across a boundary", 2*pageSize - delta - 1, 2, "d--ddd"},
		{"a page's worth", 2*pageSize - delta + 1, pageSize, "dd--dd"},
		{"last byte", 6*pageSize - delta - 1, 1, "ddddd-"},
	}
	for _, level := range []SyncLevel{SyncStarted, SyncWritten} {
		for _, tt := range tests {
			t.Run(fmt.Sprint(level, " ", tt.name), func(t *testing.T) {
				checkLeaks(t)
				m := makeDirty(t, delta)
				must(t, m.SyncRange(tt.off, tt.n, level))
				if got := dirtyPages(t, m); got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// TestSyncDurable writes all of the file, since that is what fsync(2) does.
func TestSyncDurable(t *testing.T) {
	checkLeaks(t)
	m := makeDirty(t, 0)
	must(t, m.Sync())
	if got := dirtyPages(t, m); got != "------" {
		t.Errorf("after Sync, %q are dirty", got)
	}
	m.Bytes()[0]++
	must(t, m.SyncRange(0, 1, SyncDurable|SyncInvalidate))
	if got := dirtyPages(t, m); got != "------" {
		t.Errorf("after SyncRange, %q are dirty", got)
	}
}

// TestSyncHole writes what is left after a part was unmapped, and says so.
func TestSyncHole(t *testing.T) {
	for _, level := range []SyncLevel{SyncStarted, SyncWritten, SyncDurable} {
		t.Run(level.String(), func(t *testing.T) {
			checkLeaks(t)
			m := makeDirty(t, 0)
			must(t, m.Unmap(2*pageSize, pageSize))
			wantError(t, m.SyncRange(0, m.Len(), level), "sync", ErrUnmapped)
			got := dirtyPages(t, m)
			if strings.Contains(got, "d") {
				t.Errorf("%q are dirty", got)
			}
			must(t, m.SyncRange(0, 2*pageSize, level))
		})
	}
}

func TestSyncInvalidate(t *testing.T) {
	checkLeaks(t)
	needLock(t, pageSize)
	m := mustMap(t)(Map(makeFile(t, pattern(3*pageSize)), &FileConfig{Prot: Read | Write}))
	must(t, m.Lock(pageSize, pageSize, LockNow))
	for _, level := range []SyncLevel{SyncStarted, SyncWritten, SyncDurable} {
		must(t, m.SyncRange(0, m.Len(), level))
		must(t, m.SyncRange(0, pageSize, level|SyncInvalidate))
		wantError(t, m.SyncRange(0, m.Len(), level|SyncInvalidate), "sync", syscall.EBUSY)
	}
	must(t, m.Unlock(0, m.Len()))
	must(t, m.SyncRange(0, m.Len(), SyncWritten|SyncInvalidate))
}

// TestSyncTime stores through a mapping; syncing makes that the file's time.
func TestSyncTime(t *testing.T) {
	checkLeaks(t)
	for _, level := range []SyncLevel{SyncStarted, SyncWritten, SyncDurable} {
		f := makeFile(t, pattern(pageSize))
		must(t, f.Sync())
		old := time.Now().Add(-time.Hour)
		must(t, os.Chtimes(f.Name(), old, old))
		m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
		m.Bytes()[0]++
		must(t, m.SyncRange(0, 1, level))
		info, err := f.Stat()
		must(t, err)
		if age := time.Since(info.ModTime()); age > time.Minute {
			t.Errorf("%v: the file is %v old", level, age)
		}
	}
}

func TestSyncErrors(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(2*pageSize))
	shared := mustMap(t)(Map(f, nil))
	private := mustMap(t)(Map(f, &FileConfig{Private: true, Prot: Read | Write}))
	anon := mustMap(t)(Anonymous(pageSize, nil))
	closed := mustMap(t)(Map(f, nil))
	must(t, closed.Close())
	tests := []struct {
		name   string
		m      *Mapping
		off, n int64
		level  SyncLevel
		want   error
	}{
		{"private", private, 0, pageSize, SyncWritten, ErrPrivate},
		{"private anonymous", anon, 0, pageSize, SyncStarted, ErrPrivate},
		{"closed", closed, 0, 0, SyncDurable, ErrClosed},
		{"negative offset", shared, -1, 1, SyncWritten, ErrRange},
		{"negative length", shared, 0, -1, SyncWritten, ErrRange},
		{"beyond the end", shared, pageSize, pageSize + 1, SyncWritten, ErrRange},
		{"overflow", shared, 1, 1<<63 - 1, SyncWritten, ErrRange},
		{"no level", shared, 0, 1, SyncStarted + 1, sys.EINVAL},
		{"no level, invalidating", shared, 0, 1, SyncStarted + 1 | SyncInvalidate, sys.EINVAL},
	}
	for _, tt := range tests {
		e := wantError(t, tt.m.SyncRange(tt.off, tt.n, tt.level), "sync", tt.want)
		if e.Off != tt.off || e.Len != tt.n {
			t.Errorf("%s: got range %d, %d, want %d, %d", tt.name, e.Off, e.Len, tt.off, tt.n)
		}
	}
	wantError(t, private.Sync(), "sync", ErrPrivate)
	wantError(t, closed.Sync(), "sync", ErrClosed)
	// Mappings that can be synced though there is nothing to write.
	must(t, shared.Sync())
	must(t, mustMap(t)(Map(makeFile(t, nil), nil)).Sync())
	must(t, mustMap(t)(Anonymous(pageSize, &AnonConfig{Shared: true})).Sync())
	// A device.
	zero := mustMap(t)(MapRange(openFile(t, "/dev/zero", os.O_RDWR), 0, pageSize, &FileConfig{Prot: Read | Write}))
	must(t, zero.SyncRange(0, pageSize, SyncStarted))
}

// TestSyncUnderClose syncs while the mapping is closed: either it was written, or
// the error says that it was closed.
func TestSyncUnderClose(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(2*pageSize))
	for _, level := range []SyncLevel{SyncStarted, SyncWritten, SyncDurable} {
		for range 20 {
			m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
			var syncing sync.WaitGroup
			for range 2 {
				syncing.Go(func() {
					for {
						err := m.SyncRange(0, pageSize, level)
						if errors.Is(err, ErrClosed) {
							return
						}
						if err != nil {
							t.Errorf("%v: %v", level, err)
							return
						}
					}
				})
			}
			must(t, m.Close())
			syncing.Wait()
		}
	}
}

// TestSyncUnderResize syncs the whole of a mapping whose length changes.
func TestSyncUnderResize(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(mustReserve(t, 64*pageSize).Anonymous(0, 64*pageSize, &AnonConfig{Shared: true}))
	stop := make(chan struct{})
	var resizing sync.WaitGroup
	resizing.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				must(t, m.Resize(pageSize))
				must(t, m.Resize(64*pageSize))
			}
		}
	})
	for range 20000 {
		if err := m.Sync(); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	resizing.Wait()
}

func TestSyncLevelString(t *testing.T) {
	for level, want := range map[SyncLevel]string{
		SyncDurable: "durable", SyncWritten: "written", SyncStarted: "started",
		SyncWritten | SyncInvalidate: "written|invalidate", 7: "SyncLevel(7)", 7 | SyncInvalidate: "SyncLevel(135)",
	} {
		if got := level.String(); got != want {
			t.Errorf("%d: got %q, want %q", uint8(level), got, want)
		}
	}
}
