package difftest

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"syscall"
	"testing"

	original "github.com/edsrzf/mmap-go"
)

// TestFileLocks looks at the locks of a file that is mapped. A documented difference:
// a mapping of ours keeps a descriptor, and closing that drops the fcntl(2) locks of
// the process. A lock by flock(2) lasts as long as the mapping with both.
func TestFileLocks(t *testing.T) {
	for _, a := range []api{originalAPI, oursAPI} {
		name := makeFile(t, page)
		m := lockAndMap(t, a, name)
		if flockFree(t, name) {
			t.Errorf("%s: flock ended before Unmap", a.name)
		}
		f := mustOpen(t, name)
		lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
		if err := syscall.FcntlFlock(f.Fd(), syscall.F_SETLK, &lock); err != nil {
			t.Fatal(err)
		}
		if !fcntlLocked(t, f) {
			t.Fatal("there is no fcntl lock")
		}
		if err := m.Unmap(); err != nil {
			t.Fatal(err)
		}
		if kept := fcntlLocked(t, f); kept != (a.name == "original") {
			t.Errorf("%s: the fcntl lock is held after Unmap: %v", a.name, kept)
		}
		if !flockFree(t, name) {
			t.Errorf("%s: flock is held after Unmap", a.name)
		}
	}
}

func mustOpen(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// lockAndMap locks a file with flock, maps it, and closes it.
func lockAndMap(t *testing.T, a api, name string) slice {
	t.Helper()
	f := mustOpen(t, name)
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	m, err := a.mapRegion(f, -1, original.RDWR, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// fcntlLocked reports whether this process holds an fcntl lock of a file. The call
// that asks for locks names only those of others.
func fcntlLocked(t *testing.T, f *os.File) bool {
	t.Helper()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		t.Fatal(err)
	}
	mine := fmt.Sprintf(` POSIX .* WRITE +%d [0-9a-f]+:[0-9a-f]+:%d `, os.Getpid(), info.Sys().(*syscall.Stat_t).Ino)
	return regexp.MustCompile(mine).Match(locks)
}

// flockFree reports whether a file could be locked with flock. It leaves it
// unlocked, and takes the process its fcntl locks, as any close does.
func flockFree(t *testing.T, name string) bool {
	t.Helper()
	fd, err := syscall.Open(name, syscall.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
