//go:build linux

package memmap

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Between processes: the test binary runs again, as a child that does one of the
// tasks below.

const (
	taskVariable = "MEMMAP_TEST_TASK"
	shareRounds  = 20_000
)

// tasks are what children do, with the arguments in the variable.
var tasks = map[string]func(args []string) error{
	"count inherited": countInherited,
	"count received":  countReceived,
	"count in file":   countInFile,
	"change private":  changePrivate,
	"answer":          answer,
}

// TestTask is no test, but what a child process runs.
func TestTask(t *testing.T) {
	task := os.Getenv(taskVariable)
	if task == "" {
		t.Skip("only in a child process")
	}
	args := strings.Split(task, "|")
	if err := tasks[args[0]](args[1:]); err != nil {
		t.Fatal(err)
	}
}

// startTask starts a child; the files are its descriptors from 3 on. The returned
// function waits for its end.
func startTask(t *testing.T, files []*os.File, task ...string) (wait func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTask$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), taskVariable+"="+strings.Join(task, "|"))
	cmd.ExtraFiles = files
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	must(t, cmd.Start())
	return func() {
		t.Helper()
		if err := cmd.Wait(); err != nil {
			t.Errorf("child %q: %v\n%s", task, err, out.String())
		}
	}
}

// inherited is the first file that was handed on to this process.
func inherited() *os.File { return os.NewFile(3, "inherited") }

// count adds to the counter that lies in a mapping.
func count(m *Mapping, err error) error {
	if err != nil {
		return err
	}
	counter, err := Pointer[atomic.Int64](m, 0)
	if err != nil {
		return err
	}
	for range shareRounds {
		counter.Add(1)
	}
	return m.Close()
}

func countInherited([]string) error {
	return count(Map(inherited(), &FileConfig{Prot: Read | Write}))
}

func countInFile(args []string) error {
	return count(Open(args[0], &FileConfig{Prot: Read | Write}))
}

func countReceived(args []string) error {
	conn, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	defer conn.Close()
	f, err := receiveFile(conn.(*net.UnixConn))
	if err != nil {
		return err
	}
	return errors.Join(count(Map(f, &FileConfig{Prot: Read | Write})), f.Close())
}

// sendFile hands a descriptor to the process at the other end of a Unix socket.
func sendFile(conn *net.UnixConn, f *os.File) error {
	_, _, err := conn.WriteMsgUnix([]byte{0}, syscall.UnixRights(int(f.Fd())), nil)
	return err
}

func receiveFile(conn *net.UnixConn) (*os.File, error) {
	space := make([]byte, syscall.CmsgSpace(4))
	_, n, _, _, err := conn.ReadMsgUnix(make([]byte, 1), space)
	if err != nil {
		return nil, err
	}
	messages, err := syscall.ParseSocketControlMessage(space[:n])
	if err != nil {
		return nil, err
	}
	if len(messages) != 1 {
		return nil, fmt.Errorf("%d control messages", len(messages))
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "received"), nil
}

// wantCount counts in this process as well, waits for the others, and adds up.
func wantCount(t *testing.T, m *Mapping, processes int64, waits ...func()) {
	t.Helper()
	counter, err := Pointer[atomic.Int64](m, 0)
	must(t, err)
	for range shareRounds {
		counter.Add(1)
	}
	for _, wait := range waits {
		wait()
	}
	if got, want := counter.Load(), processes*shareRounds; got != want {
		t.Errorf("counted to %d, want %d", got, want)
	}
}

// TestShareInherited has a parent and its children count in anonymous memory.
func TestShareInherited(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(8, &AnonConfig{Shared: true, Name: "counter"}))
	f, err := m.File()
	must(t, err)
	defer f.Close()
	wantCount(t, m, 3,
		startTask(t, []*os.File{f}, "count inherited"),
		startTask(t, []*os.File{f}, "count inherited"))
}

// TestShareReceived hands anonymous memory over a Unix socket.
func TestShareReceived(t *testing.T) {
	dir, err := os.MkdirTemp("", "share") // a socket's path has to be short
	must(t, err)
	defer os.RemoveAll(dir)
	checkLeaks(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	must(t, err)
	defer l.Close()
	wait := startTask(t, nil, "count received", l.Addr().String())
	conn, err := l.AcceptUnix()
	must(t, err)
	defer conn.Close()

	m := mustMap(t)(Anonymous(8, &AnonConfig{Shared: true}))
	f, err := m.File()
	must(t, err)
	defer f.Close()
	must(t, sendFile(conn, f))
	wantCount(t, m, 2, wait)
}

// TestShareFile has processes that know of each other only the name of a file.
func TestShareFile(t *testing.T) {
	checkLeaks(t)
	name := makePath(t, make([]byte, 8))
	m := mustMap(t)(Open(name, &FileConfig{Prot: Read | Write}))
	wantCount(t, m, 3,
		startTask(t, nil, "count in file", name),
		startTask(t, nil, "count in file", name))
	if got := contents(t, name); string(got) != string(m.Bytes()) {
		t.Errorf("the file has %v, the mapping %v", got, m.Bytes())
	}
}

// changePrivate initialises memory from a file, changes it, waits until all others
// have done so, and looks at it again.
func changePrivate(args []string) error {
	m, err := Open(args[0], &FileConfig{Prot: Read | Write, Private: true})
	if err != nil {
		return err
	}
	if got := string(m.Bytes()[:8]); got != "template" {
		return fmt.Errorf("at first there is %q", got)
	}
	copy(m.Bytes(), args[1])
	barrier, err := Map(inherited(), &FileConfig{Prot: Read | Write})
	if err != nil {
		return err
	}
	all, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return err
	}
	if err := meet(barrier, all); err != nil {
		return err
	}
	if got := string(m.Bytes()[:8]); got != args[1] {
		return fmt.Errorf("got %q, want %q, which it has stored", got, args[1])
	}
	return errors.Join(m.Close(), barrier.Close())
}

// TestPrivateCopies starts several processes from one file. Each has its own
// copies of what it changes, and nobody sees those of another.
func TestPrivateCopies(t *testing.T) {
	checkLeaks(t)
	const children = 3
	name := makePath(t, []byte("template"))
	m := mustMap(t)(Open(name, &FileConfig{Private: true}))
	barrier := mustMap(t)(Anonymous(8, &AnonConfig{Shared: true}))
	f, err := barrier.File()
	must(t, err)
	defer f.Close()
	for i := range children {
		defer startTask(t, []*os.File{f}, "change private", name, fmt.Sprintf("child #%d", i), fmt.Sprint(children+1))()
	}
	must(t, meet(barrier, children+1))
	if got := string(m.Bytes()); got != "template" {
		t.Errorf("the parent has %q", got)
	}
	if got := string(contents(t, name)); got != "template" {
		t.Errorf("the file has %q", got)
	}
}

// answer is a child that seals are a promise to: the memory that it got can't be
// cut short, so it reads without a guard. It answers in another mapping.
func answer([]string) error {
	question, err := Map(inherited(), nil)
	if err != nil {
		return err
	}
	if err := question.Truncate(0); !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EACCES) {
		return fmt.Errorf("cutting off sealed memory: got %v", err)
	}
	reply, err := Map(os.NewFile(4, "reply"), &FileConfig{Prot: Read | Write})
	if err != nil {
		return err
	}
	copy(reply.Bytes(), strings.ToUpper(string(question.Bytes()[:5])))
	return errors.Join(question.Close(), reply.Close())
}

func TestShareSealed(t *testing.T) {
	checkLeaks(t)
	question := mustMap(t)(Anonymous(pageSize, &AnonConfig{Shared: true, Sealable: true}))
	reply := mustMap(t)(Anonymous(pageSize, &AnonConfig{Shared: true}))
	copy(question.Bytes(), "hello")
	must(t, question.Seal(SealShrink|SealGrow|SealSeals))
	var files []*os.File
	for _, m := range []*Mapping{question, reply} {
		f, err := m.File()
		must(t, err)
		defer f.Close()
		files = append(files, f)
	}
	startTask(t, files, "answer")()
	if got := string(reply.Bytes()[:5]); got != "HELLO" {
		t.Errorf("got %q, want %q", got, "HELLO")
	}
}

// meet waits until as many processes have come to a place in shared memory.
func meet(m *Mapping, all int64) error {
	here, err := Pointer[atomic.Int64](m, 0)
	if err != nil {
		return err
	}
	here.Add(1)
	for deadline := time.Now().Add(30 * time.Second); here.Load() < all; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d processes have come", here.Load(), all)
		}
	}
	return nil
}
