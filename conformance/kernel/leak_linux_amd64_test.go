package kernel_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/conformance"
)

// children lists this program's child processes, zombies too.
func children(t *testing.T) []string {
	t.Helper()
	procs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, p := range procs {
		stat, err := os.ReadFile("/proc/" + p.Name() + "/stat")
		if err != nil {
			continue // no process, or one that has just ended
		}
		after := stat[strings.LastIndexByte(string(stat), ')')+1:] // the name before it may hold anything
		if f := strings.Fields(string(after)); len(f) > 1 && f[1] == fmt.Sprint(os.Getpid()) {
			pids = append(pids, p.Name())
		}
	}
	return pids
}

func descriptors(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// TestNothingIsLeft checks that a closed session leaves no process, descriptor or file behind.
func TestNothingIsLeft(t *testing.T) {
	r, env := newRunner(t), newEnv(t)
	before, fds := children(t), descriptors(t)
	dir, err := env.Dir(parse(t, "munlockall"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	check(t, run(t, r, env, parse(t, "f = file a 1p\nfork b\nb: fork c\nspawn d\nd: m = mmap 0 1p r private|anon - 0\nb: exit\nc: munlockall")))
	if after := children(t); !slices.Equal(after, before) {
		t.Errorf("got children %v, had %v", after, before)
	}
	if after := descriptors(t); after != fds {
		t.Errorf("got %d descriptors, had %d", after, fds)
	}
	if left, err := os.ReadDir(dir[:strings.LastIndexByte(dir, '/')]); err != nil || len(left) > 0 {
		t.Errorf("got files %v, %v, want none", left, err)
	}
}

// TestThreadIsGivenBack checks that the goroutine's thread may use all CPUs again, and is not locked.
func TestThreadIsGivenBack(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	allowed := func() string {
		status, err := os.ReadFile("/proc/thread-self/status")
		if err != nil {
			t.Fatal(err)
		}
		_, list, _ := strings.Cut(string(status), "Cpus_allowed_list:")
		return strings.Fields(list)[0]
	}
	before := allowed()
	check(t, run(t, newRunner(t), newEnv(t), parse(t, "munlockall")))
	if after := allowed(); after != before {
		t.Errorf("got CPUs %s, had %s", after, before)
	}
}

// TestKilled checks that a process that dies under a step is told of, and used no more.
func TestKilled(t *testing.T) {
	c := parse(t, "m = mmap 0 1p r private|anon - 0\nload m -> KILLED\nload m")
	before := children(t)
	s, err := newRunner(t).Start(c, newEnv(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := s.Do(&c.Steps[0]); err != nil {
		t.Fatal(err)
	}
	for _, pid := range children(t) {
		if !slices.Contains(before, pid) {
			kill(t, pid)
		}
	}
	if got, err := s.Do(&c.Steps[1]); err != nil || got.Kind != conformance.ResultFault || got.Name != "KILLED" {
		t.Errorf("got %+v, %v, want KILLED", got, err)
	}
	if got, err := s.Do(&c.Steps[2]); err == nil {
		t.Errorf("got %+v, want an error", got)
	}
}

func kill(t *testing.T, pid string) {
	var n int
	if _, err := fmt.Sscan(pid, &n); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}
