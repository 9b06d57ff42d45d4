package library_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/memmap-go/memmap/conformance"
)

// statuses writes what became of each step: met, differs, not expressed or failed.
func statuses(o conformance.Outcome) []string {
	var list []string
	for _, a := range o.Answers {
		list = append(list, a.Status.String())
	}
	return list
}

const (
	met          = "met"
	differs      = "differs"
	notExpressed = "not expressed"
)

// TestDependents checks what else isn't expressible after a step that is not, and what still is.
func TestDependents(t *testing.T) {
	tests := map[string]struct {
		steps string
		want  []string
	}{
		"by name": {
			"m = mmap 0 1p r|w private|anon|stack - 0\nload m\nn = mmap 0 1p r|w private|anon - 0\nload n",
			[]string{notExpressed, notExpressed, met, met},
		},
		"a name gets a new meaning": {
			"m = mmap 0 1p r|w private|anon|stack - 0\nm = mmap 0 1p r|w private|anon - 0\nload m -> 0",
			[]string{notExpressed, met, met},
		},
		"by address": {
			"m = mmap 0 3p r|w private|anon - 0\nmseal m+1p 1p 0\nload m\nload m+1p\nload m+2p\nmunmap m 3p\nload m+2p",
			[]string{met, notExpressed, met, notExpressed, met, notExpressed, notExpressed},
		},
		"contents of files": {
			"f = file a 1p\npread f 0 1 -> 0\ns = mmap 0 1p r|w shared|0x800000 f 0\nstore s 'x'\npread f 0 1 -> 'x'\nsize f -> 1p",
			[]string{met, met, notExpressed, notExpressed, notExpressed, notExpressed},
		},
		"private stores concern nobody": {
			"f = file a 1p\np = mmap 0 1p r|w private|0x800000 f 0\nstore p 'x'\npread f 0 1 -> 0",
			[]string{met, notExpressed, notExpressed, met},
		},
		"private memory of a parent": {
			"m = mmap 0 1p r|w private|anon - 0\ns = mmap 0 1p r|w shared|anon - 0\nfork c\nc: load m\nc: store m 'x'\nc: store s 'y'\nload s -> 'y'\nload m -> 0",
			[]string{met, met, met, notExpressed, notExpressed, met, met, met},
		},
		"a process that can't be made": {
			"unprivileged\nrlimit stack 1M\nfork c\nc: m = mmap 0 1p r private|anon - 0\nm = mmap 0 1p r private|anon - 0",
			[]string{met, met, notExpressed, notExpressed, met},
		},
		"an expectation by a missing name": {
			"m = mmap 0 1p r private|anon|stack - 0\nmmap 0 1p r private|anon - 0 -> not m",
			[]string{notExpressed, notExpressed},
		},
	}
	r, env := newRunner(t), newEnv(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := run(t, r, env, parse(t, tt.steps))
			if got := statuses(o); o.Err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got  %q, %v\nwant %q", got, o.Err, tt.want)
			}
		})
	}
}

// TestWays does the same steps on many lines: the line decides in which of its ways the library does them.
func TestWays(t *testing.T) {
	const most = 6 // no step can be done in more ways
	r, env := newRunner(t), newEnv(t)
	for shift := range most {
		steps := strings.Repeat("\n", shift) + `f = file a 1p+10 'a'
m = mmap 0 1p+10 r|w shared f 0
n = mmap 0 2p r|w private f 0
r = mmap 0 4p none private|anon - 0
p = mmap r+1p 1p r|w private|anon|fixed - 0
store m+1p+9 "xy"
load m+1p+8 4 -> "axy\x00"
store m 'B'
load m -> 'B'
store n+8 "01234567"
load n+8 8 -> "01234567"
load n 2 -> "Ba"
store p+3 'p'
load p+2 3 -> "\x00p\x00"
load p+3 -> 'p'
load r+1p-1 3 -> SEGV_ACCERR
store r+2p-1 "zz" -> SEGV_ACCERR
load r+2p-1 -> 'z'
mprotect m 1p r
store m 'C' -> SEGV_ACCERR
store m+2 "CC" -> SEGV_ACCERR
ftruncate f 1p
load m+1p -> BUS_ADRERR
store m+1p 1 -> BUS_ADRERR
ftruncate f 1p+20
load m+1p 10 -> 0*10
ftruncate f 100
load m+99 3 -> "a\x00\x00"
msync m 2p sync
munmap p 1p
load p 4 -> SEGV_MAPERR
store p 'x' -> SEGV_MAPERR
munmap m 2p
load m 2 -> SEGV_MAPERR
store m+5 "late" -> SEGV_MAPERR
writefrom f 0 m 1 -> EFAULT`
		t.Run(fmt.Sprint(shift), func(t *testing.T) {
			o := run(t, r, env, parse(t, steps))
			check(t, o)
			for _, a := range o.Answers {
				if a.Status == conformance.NotExpressed {
					t.Errorf("%s: %v", a.Step.Text, a.Err)
				}
			}
		})
	}
}

// TestSuiteTurnsRed makes each expectation of some cases wrong, one at a time, and wants it to differ.
func TestSuiteTurnsRed(t *testing.T) {
	sections, err := conformance.Suite()
	if err != nil {
		t.Fatal(err)
	}
	r, env := newRunner(t), newEnv(t)
	for _, s := range sections {
		c := s.Cases[0]
		t.Run(c.Name, func(t *testing.T) {
			right := run(t, r, env, c)
			for i := range c.Steps {
				if right.Answers[i].Status != conformance.Met {
					continue
				}
				o := run(t, r, env, spoil(c, i))
				if got := statuses(o); len(got) != i+1 || got[i] != differs {
					t.Errorf("%s -> EXDEV: got %q", c.Steps[i].Text, got)
				}
			}
		})
	}
}

// spoil returns a copy of the case in which a step expects what can't happen.
func spoil(c *conformance.Case, step int) *conformance.Case {
	wrong := *c
	wrong.Steps = slices.Clone(c.Steps)
	wrong.Steps[step].Want = conformance.Expectation{Kind: conformance.WantErrno, Name: "EXDEV", Text: "EXDEV"}
	return &wrong
}

// children lists this program's child processes, zombies too.
func children(t *testing.T) []int {
	t.Helper()
	procs, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range procs {
		stat, err := os.ReadFile("/proc/" + p.Name() + "/stat")
		if err != nil {
			continue // no process, or one that has just ended
		}
		after := string(stat[strings.LastIndexByte(string(stat), ')')+1:]) // the name before it may hold anything
		var state string
		var pid, parent int
		if _, err := fmt.Sscan(after, &state, &parent); err == nil && parent == os.Getpid() {
			if _, err := fmt.Sscan(p.Name(), &pid); err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
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

// TestNothingIsLeft checks that a closed session leaves no process, descriptor or file behind, however it ended.
func TestNothingIsLeft(t *testing.T) {
	tests := map[string]string{
		"all done":       "f = file a 1p\nm = mmap 0 1p r shared f 0\nfork b\nb: fork c\nspawn d\nb: exit\nc: close f",
		"ended early":    "f = file a 1p\nclose f -> EBADF\nfork b",
		"not expressed":  "mlockall current\nfork b",
		"loses its name": "f = file a 1p\nunprivileged\nunlink a",
	}
	r, env := newRunner(t), newEnv(t)
	dir, err := env.Dir(parse(t, "munlockall"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			before, fds := children(t), descriptors(t)
			if o := run(t, r, env, parse(t, steps)); o.Err != nil {
				t.Error(o.Err)
			}
			if after := children(t); !slices.Equal(after, before) {
				t.Errorf("got children %v, had %v", after, before)
			}
			if after := descriptors(t); after != fds {
				t.Errorf("got %d descriptors, had %d", after, fds)
			}
			if left, err := os.ReadDir(dir[:strings.LastIndexByte(dir, '/')]); err != nil || len(left) > 0 {
				t.Errorf("got files %v, %v, want none", left, err)
			}
		})
	}
}

// TestWorkerDies kills a worker under a case: its next step fails, and the session still ends.
func TestWorkerDies(t *testing.T) {
	r, env := newRunner(t), newEnv(t)
	c := parse(t, "m = mmap 0 1p r private|anon - 0\nload m")
	before := children(t)
	s, err := r.Start(c, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(&c.Steps[0]); err != nil {
		t.Fatal(err)
	}
	for _, pid := range children(t) {
		if !slices.Contains(before, pid) {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := s.Do(&c.Steps[1]); err == nil || !strings.Contains(err.Error(), "died") {
		t.Errorf("got %+v, %v, want an error that says that the worker died", got, err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if after := children(t); !slices.Equal(after, before) {
		t.Errorf("got children %v, had %v", after, before)
	}
}

// TestReasonOfRange has ranges that no mapping covers, and why the library can say nothing of them.
func TestReasonOfRange(t *testing.T) {
	const head = "m = mmap 0 2p r|w private|anon - 0\n"
	tests := []struct{ step, want string }{
		{"mprotect m 1T r", "the range reaches beyond every mapping of the case"},
		{"mprotect 4096 1p r -> ENOMEM", "no mapping of the case ever lay at the address"},
	}
	r, env := newRunner(t), newEnv(t)
	for _, tt := range tests {
		o := run(t, r, env, parse(t, head+tt.step))
		if a := o.Answers[1]; a.Status != conformance.NotExpressed || !strings.HasSuffix(a.Err.Error(), tt.want) {
			t.Errorf("%s: got %v, %v, want the reason: %s", tt.step, a.Status, a.Err, tt.want)
		}
	}
}

// TestInterrupt ends a step that would write for seconds: before it begins, or on its way.
func TestInterrupt(t *testing.T) {
	r, env := newRunner(t), newEnv(t)
	c := parse(t, "f = file data 1G")
	for _, after := range []time.Duration{0, 20 * time.Millisecond} {
		s, err := r.Start(c, env)
		if err != nil {
			t.Fatal(err)
		}
		interrupt := s.(conformance.Interrupter).Interrupt
		if after == 0 {
			interrupt()
		} else {
			time.AfterFunc(after, interrupt)
		}
		if got, err := s.Do(&c.Steps[0]); err == nil {
			t.Errorf("after %v: got %+v, want an error", after, got)
		}
		if err := s.Close(); err != nil {
			t.Logf("after %v: close: %v", after, err) // the worker was ended, which Close may tell
		}
	}
}
