package memmap

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// forSmallDisks runs a test on file systems of about 4 MiB, as far as we may mount
// them: one that keeps in memory what a file has, and one with a journal and
// extents, which keeps the blocks that a failed allocation had found.
func forSmallDisks(t *testing.T, test func(t *testing.T, dir string)) {
	for fs, mount := range map[string]func(t *testing.T, dir string){"tmpfs": mountTmpfs, "ext4": mountExt4} {
		t.Run(fs, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("only root may mount")
			}
			checkLeaks(t)
			dir := t.TempDir()
			mount(t, dir)
			t.Cleanup(func() { unmount(t, dir) })
			test(t, dir)
		})
	}
}

func mountTmpfs(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount: %v", err)
	}
}

func mountExt4(t *testing.T, dir string) {
	t.Helper()
	mountImage(t, filepath.Join(t.TempDir(), "image"), 5<<20, dir)
}

// mountImage makes an image of a disk with an ext4 file system on it, and mounts it.
func mountImage(t *testing.T, image string, size int64, dir string) {
	t.Helper()
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, size))
	needCommand(t, "mkfs.ext4", "-q", "-F", image)
	needCommand(t, "mount", "-o", "loop", image, dir)
}

// needCommand skips the test if a command can't do what it is asked.
func needCommand(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Skipf("%s: %v\n%s", name, err, out)
	}
}

func unmount(t *testing.T, dir string) {
	t.Helper()
	if err := syscall.Unmount(dir, 0); err != nil {
		t.Errorf("unmount: %v", err)
	}
}

// blocks returns the size of a file, and how much disk it takes.
func blocks(t *testing.T, f *os.File) (size, allocated int64) {
	t.Helper()
	info, err := f.Stat()
	must(t, err)
	return info.Size(), info.Sys().(*syscall.Stat_t).Blocks * 512
}

func createFile(t *testing.T, dir string, content []byte) *os.File {
	t.Helper()
	name := filepath.Join(dir, "file")
	must(t, os.WriteFile(name, content, 0o600))
	return openFile(t, name, os.O_RDWR)
}

// TestGrowAllocates looks at the blocks.
func TestGrowAllocates(t *testing.T) {
	forSmallDisks(t, func(t *testing.T, dir string) {
		for _, sparse := range []bool{false, true} {
			f := createFile(t, dir, pattern(100))
			m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, MaxLen: 2 << 20, Sparse: sparse}))
			must(t, m.Grow(1<<20))
			size, allocated := blocks(t, f)
			if size != 1<<20 || sparse != (allocated < 1<<20) {
				t.Errorf("sparse %v: got size %d and %d bytes of blocks", sparse, size, allocated)
			}
			must(t, m.Close())
		}
	})
}

// TestGrowDiskFull grows beyond what the disk has. Nothing may change by that.
func TestGrowDiskFull(t *testing.T) {
	forSmallDisks(t, func(t *testing.T, dir string) {
		f := createFile(t, dir, pattern(100))
		m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, MaxLen: 1 << 30}))
		must(t, m.Grow(1<<20))
		must(t, f.Sync()) // or ext4 allocates later what it has promised
		size, allocated := blocks(t, f)
		free, err := sys.FreeBytes(int(f.Fd()))
		must(t, err)
		e := wantError(t, m.Grow(1<<29), "grow", sys.ENOSPC)
		if e.Len != 1<<29 || e.Name != f.Name() {
			t.Errorf("got error %+v, want length and name in it", e)
		}
		must(t, f.Sync())
		sizeNow, allocatedNow := blocks(t, f)
		freeNow, err := sys.FreeBytes(int(f.Fd()))
		must(t, err)
		if sizeNow != size || allocatedNow != allocated || freeNow != free || m.Len() != size {
			t.Errorf("size %d, blocks %d, free %d, length %d; want %d, %d, %d, %d as before",
				sizeNow, allocatedNow, freeNow, m.Len(), size, allocated, free, size)
		}
		wantBytes(t, "contents", m.Bytes()[:100], pattern(100))
		must(t, m.Grow(2<<20))
	})
}

// TestDiskFull stores into pages of a sparse file that the disk can't back.
func TestDiskFull(t *testing.T) {
	forSmallDisks(t, func(t *testing.T, dir string) {
		f := createFile(t, dir, nil)
		must(t, f.Truncate(8<<20))
		m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
		n, err := m.WriteAt(bytes.Repeat([]byte{'x'}, 8<<20), 0)
		e := wantError(t, err, "write", ErrFault, sys.ENOSPC)
		if int64(n) != e.Off || n == 0 || int64(n)%pageSize != 0 {
			t.Errorf("wrote %d bytes, and can't access byte %d; want the same, at a page", n, e.Off)
		}
		got := make([]byte, n)
		if _, err := m.ReadAt(got, 0); err != nil || bytes.Count(got, []byte{'x'}) != n {
			t.Errorf("reading back: %v", err)
		}
		b := m.Bytes()
		// What is written meanwhile may have made some room.
		err = Guard(func() error {
			for at := n; ; at += int(pageSize) {
				b[at] = 1
			}
		}, m)
		if e := wantError(t, err, "guard", ErrFault, sys.ENOSPC); e.Off < int64(n) || e.Off%pageSize != 0 {
			t.Errorf("got Off %d, want one from %d on, at a page", e.Off, n)
		}
	})
}

// TestBrokenDisk reads and writes a file on a disk that has lost its end: the
// image that the disk is made of is cut. The kernel gets I/O errors then, as
// from a disk with bad blocks.
func TestBrokenDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	checkLeaks(t)
	dir, image := t.TempDir(), filepath.Join(t.TempDir(), "image")
	const size = 16 << 20
	mountImage(t, image, size, dir)
	t.Cleanup(func() { unmount(t, dir) })
	must(t, createFile(t, dir, pattern(size/2)).Close())
	// The page cache has the file, until it is mounted anew.
	must(t, syscall.Unmount(dir, 0))
	needCommand(t, "mount", "-o", "loop", image, dir)
	f := openFile(t, filepath.Join(dir, "file"), os.O_RDWR)
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, MaxLen: size}))
	t.Cleanup(func() { must(t, os.Truncate(image, size)) }) // before it is unmounted
	limit := breakDisk(t, f, image, size)
	got := make([]byte, m.Len())
	n, err := m.ReadAt(got, 0)
	// The kernel reads some pages at once, and then can use none of them.
	bad := int64(n)
	if e := wantError(t, err, "read", ErrFault, sys.EIO); n == 0 || bad > limit || bad%pageSize != 0 || e.Off != bad {
		t.Errorf("read %d bytes, and can't access byte %d; want the same, at a page, and at most %d", n, e.Off, limit)
	}
	wantBytes(t, "before the bad page", got[:n], pattern(size / 2)[:n])
	_, err = m.WriteAt([]byte("x"), bad+5)
	if e := wantError(t, err, "write", ErrFault, sys.EIO); e.Off != bad+5 {
		t.Errorf("write: got Off %d, want %d", e.Off, bad+5)
	}
	b := m.Bytes()
	wantError(t, Guard(func() error { touched = b[bad]; return nil }, m), "guard", ErrFault, sys.EIO)
	wantError(t, m.Prefault(t.Context(), bad, 1, Read), "prefault", sys.EIO)

	// A disk that comes back is read again.
	must(t, os.Truncate(image, size))
	if _, err := m.ReadAt(got[:1], bad); err != nil {
		t.Errorf("the disk is whole again, and the page still bad: %v", err)
	}
}

// breakDisk cuts the image of a disk so that a file on it has good pages before a
// bad one, whose offset it returns.
func breakDisk(t *testing.T, f *os.File, image string, size int64) int64 {
	t.Helper()
	for cut := size; cut > 0; cut -= size / 8 {
		must(t, os.Truncate(image, cut))
		if bad := firstBad(t, f.Name()); bad > 0 {
			return bad
		}
	}
	t.Skip("no cut of the image makes a bad page behind good ones")
	return 0
}

// firstBad returns the offset of the first page of a file that can't be read from
// the disk, or -1. It reads past the page cache, which stays empty.
func firstBad(t *testing.T, name string) int64 {
	t.Helper()
	f := openFile(t, name, os.O_RDONLY|syscall.O_DIRECT)
	defer f.Close()
	buf := mustMap(t)(Anonymous(pageSize, nil)).Bytes() // aligned
	for off := int64(0); ; off += pageSize {
		switch _, err := f.ReadAt(buf, off); {
		case errors.Is(err, io.EOF):
			return -1
		case errors.Is(err, sys.EIO):
			return off
		default:
			must(t, err)
		}
	}
}

// TestDiskFailsLater stores into pages that the file system has room for, but not
// the disk beneath it: its image is sparse, on a file system that is full. The
// kernel notices when it writes the pages, and Sync has to say so.
func TestDiskFailsLater(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	checkLeaks(t)
	small, dir := t.TempDir(), t.TempDir()
	mountTmpfs(t, small)
	t.Cleanup(func() { unmount(t, small) })
	mountImage(t, filepath.Join(small, "image"), 64<<20, dir)
	t.Cleanup(func() { unmount(t, dir) })
	f := createFile(t, dir, nil)
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, MaxLen: 16 << 20}))
	must(t, m.Grow(16<<20))
	if _, err := m.WriteAt(pattern(16<<20), 0); err != nil {
		t.Fatalf("storing into allocated pages: %v", err)
	}
	err := m.Sync()
	if e := wantError(t, err, "sync"); e.Name != f.Name() || !errors.Is(err, sys.EIO) && !errors.Is(err, sys.ENOSPC) {
		t.Errorf("got error %q, want EIO or ENOSPC, and the file's name", err)
	}
	if got := m.Bytes()[16<<20-1]; got != patternAt(16<<20-1) {
		t.Errorf("after the failed Sync the page holds %#x", got)
	}
}
