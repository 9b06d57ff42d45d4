package memmap

import (
	"bytes"
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
			t.Cleanup(func() {
				if err := syscall.Unmount(dir, 0); err != nil {
					t.Errorf("unmount: %v", err)
				}
			})
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
	image := filepath.Join(t.TempDir(), "image")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 5<<20))
	for _, command := range [][]string{{"mkfs.ext4", "-q", "-F", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v\n%s", command[0], err, out)
		}
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
		err = Guard(func() error { b[n] = 1; return nil }, m)
		if e := wantError(t, err, "guard", ErrFault, sys.ENOSPC); e.Off != int64(n) {
			t.Errorf("got Off %d, want %d", e.Off, n)
		}
	})
}
