//go:build linux

package memmap

import (
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
)

const (
	sharers = 3
	rounds  = 5000
)

// startSharers runs the calling test again in several processes, each with files
// from descriptor 3 on, and waits for them after the parent's part.
func startSharers(t *testing.T, files func(i int) []*os.File, meanwhile func()) {
	t.Helper()
	var started []*exec.Cmd
	for i := range sharers {
		c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), childVariable+"="+t.Name())
		c.ExtraFiles = files(i)
		c.Stdout = os.Stderr
		must(t, c.Start())
		started = append(started, c)
	}
	meanwhile()
	for _, c := range started {
		if err := c.Wait(); err != nil {
			t.Errorf("child: %v", err)
		}
	}
}

// countUp is what each child does with the memory behind a descriptor.
func countUp(t *testing.T, f *os.File) {
	m, err := Map(f, &FileConfig{Prot: Read | Write})
	must(t, err)
	counter, err := Pointer[int64](m, 0)
	must(t, err)
	for range rounds {
		atomic.AddInt64(counter, 1)
	}
	must(t, m.Close())
}

// TestShareInherited hands anonymous memory to children as a descriptor.
func TestShareInherited(t *testing.T) {
	if os.Getenv(childVariable) == t.Name() {
		countUp(t, os.NewFile(3, "memory"))
		return
	}
	checkLeaks(t)
	m := mustMap(t)(Anonymous(8, &AnonConfig{Shared: true}))
	f, err := m.File()
	must(t, err)
	defer f.Close()
	startSharers(t, func(int) []*os.File { return []*os.File{f} }, func() {})
	if got, err := Load[int64](m, 0); err != nil || got != sharers*rounds {
		t.Errorf("got %d, %v; want %d", got, err, sharers*rounds)
	}
}

// TestShareOverSocket hands anonymous memory over Unix sockets.
func TestShareOverSocket(t *testing.T) {
	if os.Getenv(childVariable) == t.Name() {
		countUp(t, receiveFile(t, os.NewFile(3, "socket")))
		return
	}
	checkLeaks(t)
	m := mustMap(t)(Anonymous(8, &AnonConfig{Shared: true}))
	f, err := m.File()
	must(t, err)
	defer f.Close()
	var ours, theirs []*os.File
	for range sharers {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		must(t, err)
		ours = append(ours, os.NewFile(uintptr(pair[0]), "ours"))
		theirs = append(theirs, os.NewFile(uintptr(pair[1]), "theirs"))
	}
	startSharers(t, func(i int) []*os.File { return theirs[i : i+1] }, func() {
		for _, s := range ours {
			sendFile(t, s, f)
		}
	})
	for _, s := range append(ours, theirs...) {
		must(t, s.Close())
	}
	if got, err := Load[int64](m, 0); err != nil || got != sharers*rounds {
		t.Errorf("got %d, %v; want %d", got, err, sharers*rounds)
	}
}

func sendFile(t *testing.T, socket, f *os.File) {
	t.Helper()
	conn, err := net.FileConn(socket)
	must(t, err)
	defer conn.Close()
	fd, err := descriptor(f)
	must(t, err)
	_, _, err = conn.(*net.UnixConn).WriteMsgUnix([]byte{0}, syscall.UnixRights(fd), nil)
	must(t, err)
}

func receiveFile(t *testing.T, socket *os.File) *os.File {
	t.Helper()
	conn, err := net.FileConn(socket)
	must(t, err)
	defer conn.Close()
	oob := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := conn.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), oob)
	must(t, err)
	messages, err := syscall.ParseSocketControlMessage(oob[:n])
	must(t, err)
	fds, err := syscall.ParseUnixRights(&messages[0])
	must(t, err)
	return os.NewFile(uintptr(fds[0]), "memory")
}

// TestShareFile has unrelated processes store into one file, through mappings that
// each makes by itself.
func TestShareFile(t *testing.T) {
	const variable = "MEMMAP_TEST_FILE"
	if os.Getenv(childVariable) == t.Name() {
		f, err := os.OpenFile(os.Getenv(variable), os.O_RDWR, 0)
		must(t, err)
		countUp(t, f)
		return
	}
	checkLeaks(t)
	name := makePath(t, make([]byte, 8))
	t.Setenv(variable, name)
	startSharers(t, func(int) []*os.File { return nil }, func() {})
	m := mustMap(t)(Open(name, nil))
	if got, err := Load[int64](m, 0); err != nil || got != sharers*rounds {
		t.Errorf("got %d, %v; want %d", got, err, sharers*rounds)
	}
}

// TestSharePrivate starts processes from one private file: each has the file's
// bytes, its own copies of the pages that it stores into, and the file keeps its.
func TestSharePrivate(t *testing.T) {
	if os.Getenv(childVariable) == t.Name() {
		m, err := Map(os.NewFile(3, "image"), &FileConfig{Prot: Read | Write, Private: true})
		must(t, err)
		wantBytes(t, "the image", m.Bytes(), pattern(2*pageSize))
		for i := range m.Bytes()[:pageSize] {
			m.Bytes()[i] = byte(os.Getpid())
		}
		wantBytes(t, "the untouched page", m.Bytes()[pageSize:], pattern(2 * pageSize)[pageSize:])
		must(t, m.Close())
		return
	}
	checkLeaks(t)
	name := makePath(t, pattern(2*pageSize))
	f, err := os.Open(name)
	must(t, err)
	defer f.Close()
	startSharers(t, func(int) []*os.File { return []*os.File{f} }, func() {})
	wantBytes(t, "the file", contents(t, name), pattern(2*pageSize))
}
