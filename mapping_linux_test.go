package memmap

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// TestOpenPipe opens a pipe by name that nobody has opened for writing. Open must
// not wait for that.
func TestOpenPipe(t *testing.T) {
	checkLeaks(t)
	name := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(name, 0o600))
	for _, prot := range []Prot{Read, Read | Write} {
		failed := make(chan error, 1)
		go func() {
			_, err := Open(name, &FileConfig{Prot: prot})
			failed <- err
		}()
		select {
		case err := <-failed:
			if e := wantError(t, err, "open", sys.ENODEV); e.Name != name {
				t.Errorf("got Name %q, want %q", e.Name, name)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("Open waits for the pipe's other end")
		}
	}
}

// TestPathOnly maps a descriptor that was opened with O_PATH.
func TestPathOnly(t *testing.T) {
	checkLeaks(t)
	const oPath = 0x200000 // O_PATH, which package syscall lacks
	f := openFile(t, makePath(t, pattern(100)), oPath)
	for _, n := range []int64{0, 100} {
		_, err := MapRange(f, 0, n, nil)
		wantError(t, err, "map", sys.EBADF)
	}
}

// TestSocket maps a socket, and opens one by name.
func TestSocket(t *testing.T) {
	checkLeaks(t)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	for _, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		defer f.Close()
		_, err := MapRange(f, 0, 10, nil)
		wantError(t, err, "map", sys.ENODEV)
	}
	name := filepath.Join(t.TempDir(), "socket")
	must(t, syscall.Mknod(name, syscall.S_IFSOCK|0o600, 0))
	_, err = Open(name, nil)
	wantError(t, err, "open", syscall.ENXIO)
}

// TestCloseLeavesNothing looks at the areas themselves.
func TestCloseLeavesNothing(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(3*pageSize))
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
	pages := m.now.Load().pages
	if a := areasIn(readAreas(t), pages); len(a) != 1 || a[0].path != f.Name() || a[0].prot != "rw-" || !a[0].shared {
		t.Errorf("mapped: got areas %v, want one of %s", a, f.Name())
	}
	must(t, m.Close())
	if a := areasIn(readAreas(t), pages); len(a) != 1 || a[0].span != pages || a[0].prot != "---" || a[0].path != "" {
		t.Errorf("closed: got areas %v, want inaccessible memory", a)
	}
}

// TestFailedMapLeavesNothing fails after address space was taken.
func TestFailedMapLeavesNothing(t *testing.T) {
	checkLeaks(t)
	// Files of /proc can't be mapped.
	f := openFile(t, "/proc/self/status", os.O_RDONLY)
	for range 10 {
		_, err := MapRange(f, 0, 100*pageSize, nil)
		wantError(t, err, "map", sys.ENODEV)
	}
	g := makeFile(t, pattern(10))
	for range 10 {
		_, err := MapRange(g, 0, 100*pageSize, &FileConfig{Populate: true})
		wantError(t, err, "map", ErrTruncated)
	}
}

// TestLockWithRoom locks what is there now, and the rest when it is touched.
func TestLockWithRoom(t *testing.T) {
	checkLeaks(t)
	needLock(t, 64*pageSize)
	before := lockedBytes(t)
	m := mustMap(t)(Map(makeFile(t, pattern(pageSize+1)), &FileConfig{Prot: Read | Write, Lock: LockNow, MaxLen: 64 * pageSize}))
	if got := lockedBytes(t) - before; got != 64*pageSize {
		t.Errorf("%d bytes are locked, want %d", got, 64*pageSize)
	}
	must(t, m.Grow(10*pageSize))
	if _, err := m.WriteAt([]byte("x"), 9*pageSize); err != nil {
		t.Error(err)
	}
}
