//go:build linux

package memmap

import (
	"strings"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

func TestLock(t *testing.T) {
	forKinds(t, func(t *testing.T, k kind) {
		needLock(t, 4*pageSize)
		r := mustReserve(t, 4*pageSize)
		m := k.place(t, r, 0, 4*pageSize, Read|Write)
		before := lockedBytes(t)
		steps := []struct {
			name   string
			do     func() error
			locked int64 // pages
		}{
			{"one byte", func() error { return m.Lock(pageSize+10, 1, LockNow) }, 1},
			{"across a boundary", func() error { return m.Lock(2*pageSize-1, 2, LockNow) }, 2},
			{"nothing", func() error { return m.Lock(0, 0, LockNow) }, 2},
			{"on fault", func() error { return m.Lock(3*pageSize, pageSize, LockOnFault) }, 3},
			{"unlock nothing", func() error { return m.Unlock(pageSize, 0) }, 3},
			{"unlock one", func() error { return m.Unlock(pageSize, 1) }, 2},
			{"unlock all", func() error { return m.Unlock(0, 4*pageSize) }, 0},
			{"all", func() error { return m.Lock(0, 4*pageSize, LockNow) }, 4},
		}
		for _, s := range steps {
			must(t, s.do())
			if got := lockedBytes(t) - before; got != s.locked*pageSize {
				t.Errorf("%s: got %d bytes locked, want %d pages", s.name, got, s.locked)
			}
		}
		must(t, m.Close())
		if got := lockedBytes(t); got != before {
			t.Errorf("after Close: got %d bytes locked, want %d", got, before)
		}
	})
}

// TestLockModes locks what is there, or what will be.
func TestLockModes(t *testing.T) {
	checkLeaks(t)
	needLock(t, 8*pageSize)
	for _, inConfig := range []bool{false, true} {
		for mode, resident := range map[LockMode]int64{LockNow: 8, LockOnFault: 0} {
			var cfg AnonConfig
			if inConfig {
				cfg.Lock = mode
			}
			m := mustMap(t)(Anonymous(8*pageSize, &cfg))
			if !inConfig {
				must(t, m.Lock(0, m.Len(), mode))
			}
			if got := smapsBytes(t, m, "Rss"); got != resident*pageSize {
				t.Errorf("mode %d: got %d bytes resident, want %d pages", mode, got, resident)
			}
			m.Bytes()[0] = 1
			if got := smapsBytes(t, m, "Locked"); got != max(resident, 1)*pageSize {
				t.Errorf("mode %d: got %d bytes locked, want %d pages", mode, got, max(resident, 1))
			}
			must(t, m.Close())
		}
	}
}

// TestLockFails locks over a page that can't be loaded: nothing is locked then,
// but for what was before.
func TestLockFails(t *testing.T) {
	checkLeaks(t)
	needLock(t, 4*pageSize)
	f := makeFile(t, pattern(2*pageSize))
	m := mustMap(t)(MapRange(f, 100, 4*pageSize-100, &FileConfig{Prot: Read | Write}))
	must(t, m.Lock(pageSize, 1, LockOnFault))
	before := lockedBytes(t)
	e := wantError(t, m.Lock(0, m.Len(), LockNow), "lock", sys.ENOMEM)
	for _, want := range []string{"page at 8092", ErrTruncated.Error()} {
		if !strings.Contains(e.Error(), want) {
			t.Errorf("got %q, want %q in it", e, want)
		}
	}
	if got := lockedBytes(t); got != before {
		t.Errorf("got %d bytes locked, want %d", got, before)
	}
	// The second page is locked as it was; all others can be discarded.
	wantError(t, m.Discard(pageSize-100, pageSize, DropPages), "discard", sys.EINVAL)
	must(t, m.Discard(0, pageSize-100, DropPages))

	must(t, m.Protect(0, pageSize-100, None))
	e = wantError(t, m.Lock(0, 1, LockNow), "lock", sys.ENOMEM)
	if !strings.Contains(e.Error(), ErrProtected.Error()) {
		t.Errorf("got %q, want %q in it", e, ErrProtected)
	}
	for _, mode := range []LockMode{Unlocked, LockOnFault + 1} {
		wantError(t, m.Lock(0, 1, mode), "lock", sys.EINVAL)
	}
	wantError(t, m.Lock(0, m.Len()+1, LockNow), "lock", ErrRange)
	wantError(t, m.Unlock(-1, 1), "unlock", ErrRange)
	must(t, m.Close())
	wantError(t, m.Lock(0, 0, LockNow), "lock", ErrClosed)
	wantError(t, m.Unlock(0, 0), "unlock", ErrClosed)
}

// TestLockLimit is an ordinary user, who may lock 4 pages.
func TestLockLimit(t *testing.T) {
	if !inChild(t) {
		return
	}
	checkLeaks(t)
	becomeUser(t)
	setLimit(t, rlimitMemlock, uint64(4*pageSize))
	m := mustMap(t)(Anonymous(8*pageSize, nil))
	must(t, m.Lock(0, 3*pageSize, LockNow))
	wantLimit := func(err error, op string) {
		t.Helper()
		if e := wantError(t, err, op, sys.ENOMEM); !strings.Contains(e.Error(), "RLIMIT_MEMLOCK is 16384 bytes") {
			t.Errorf("got %q, which doesn't name the limit", e)
		}
		if got := lockedBytes(t); got != 3*pageSize {
			t.Errorf("got %d bytes locked, want %d", got, 3*pageSize)
		}
	}
	wantLimit(m.Lock(3*pageSize, 2*pageSize, LockNow), "lock")
	wantLimit(m.Lock(2*pageSize, 6*pageSize, LockOnFault), "lock")
	_, err := Anonymous(2*pageSize, &AnonConfig{Lock: LockNow})
	wantLimit(err, "map")
	_, err = Mirror(pageSize, &AnonConfig{Lock: LockNow})
	wantLimit(err, "mirror")

	// Moving locked memory needs no more than it has.
	for range 10 {
		mustMove(t, m, m.Len()+pageSize)
	}
	if got := lockedBytes(t); got != 3*pageSize {
		t.Errorf("after moves: got %d bytes locked, want %d", got, 3*pageSize)
	}
	setLimit(t, rlimitMemlock, 0)
	other := mustMap(t)(Anonymous(pageSize, nil))
	if err := other.Lock(0, 1, LockNow); err == nil {
		t.Error("locked without any right to")
	}
}
