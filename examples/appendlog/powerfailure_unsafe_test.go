//go:build linux && (386 || amd64 || arm || arm64)

package appendlog

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// TestPowerFailure shuts down the file system under a process that appends: what
// isn't on the disk by then is lost. What the process has said to be synced must be
// there when it is mounted again.
func TestPowerFailure(t *testing.T) {
	disk := newDisk(t)
	records := 0
	for round := range *rounds/2 + 1 {
		disk.mount()
		synced, complaint := killChild(t, disk.log, func(p *os.Process) error { return errors.Join(disk.cutPower(), p.Kill()) })
		if complaint != "" && !strings.Contains(complaint, syscall.EIO.Error()) && !strings.Contains(complaint, syscall.EROFS.Error()) {
			t.Fatalf("round %d: %s", round, complaint)
		}
		disk.unmount()
		disk.mount()
		if records = disk.wantRecords(max(records, synced)); records > 3000 {
			must(t, os.Remove(disk.log)) // the disk is small
			records = 0
		}
		disk.unmount()
	}
}

// TestPowerFailureAfterKill kills a process, reads what it has left, and shuts down
// the file system. What was read must be there again.
func TestPowerFailureAfterKill(t *testing.T) {
	disk := newDisk(t)
	for range *rounds/4 + 1 {
		disk.mount()
		synced, _ := killChild(t, disk.log, (*os.Process).Kill)
		records := disk.wantRecords(synced)
		must(t, disk.cutPower())
		disk.unmount()
		disk.mount()
		disk.wantRecords(records)
		disk.unmount()
	}
}

// disk is an ext4 file system that can lose its power, with a log on it.
type disk struct {
	t               *testing.T
	image, dir, log string
}

func newDisk(t *testing.T) disk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	d := disk{t: t, image: filepath.Join(t.TempDir(), "image"), dir: t.TempDir()}
	d.log = filepath.Join(d.dir, "log")
	must(t, os.WriteFile(d.image, nil, 0o600))
	must(t, os.Truncate(d.image, 512<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Skipf("mkfs.ext4: %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = syscall.Unmount(d.dir, 0) }) // if the test has ended early
	return d
}

func (d disk) mount() {
	d.t.Helper()
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		d.t.Skipf("mount: %v\n%s", err, out)
	}
}

func (d disk) unmount() {
	d.t.Helper()
	must(d.t, syscall.Unmount(d.dir, 0))
}

// wantRecords opens the log, and returns how many records it has, which must not be
// fewer than the given number.
func (d disk) wantRecords(least int) int {
	d.t.Helper()
	l := mustOpen(d.t, d.log)
	n, err := count(l)
	must(d.t, l.Close())
	if err != nil || n < least {
		d.t.Fatalf("there are %d records, want at least %d: %v", n, least, err)
	}
	return n
}

// cutPower shuts down the file system: nothing reaches the disk any more, not even
// its journal.
func (d disk) cutPower() error {
	const shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	how := uint32(2) // EXT4_GOING_FLAGS_NOLOGFLUSH
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), shutdown, uintptr(unsafe.Pointer(&how)))
	if errno != 0 {
		return errors.Join(os.NewSyscallError("ioctl", errno), dir.Close())
	}
	return dir.Close()
}
