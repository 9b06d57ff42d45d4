package kernel_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/conformance/kernel"
)

// newRunner returns the runner, or skips where there is none.
func newRunner(t testing.TB) *kernel.Runner {
	t.Helper()
	r, err := kernel.New()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newEnv(t testing.TB) *conformance.Env {
	t.Helper()
	env, err := conformance.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	return env
}

// run runs one case and returns its outcome.
func run(t *testing.T, r conformance.Runner, env *conformance.Env, c *conformance.Case) conformance.Outcome {
	t.Helper()
	for o := range conformance.Run(t.Context(), []*conformance.Case{c}, []conformance.Runner{r}, env) {
		return o
	}
	t.Fatal("no outcome")
	return conformance.Outcome{}
}

// check reports what an outcome has against its case, and skips if the case did not run.
func check(t *testing.T, o conformance.Outcome) {
	t.Helper()
	if o.Skipped != "" {
		t.Skip(o.Skipped)
	}
	if o.Err != nil {
		t.Error(o.Err)
	}
	for _, a := range o.Answers {
		if a.Status != conformance.Met {
			t.Errorf("%s:%d: %s\ngot  %s\nwant %s (error: %v)", o.Case.File, a.Step.Line, a.Step.Text, a.Got, a.Step.Want, a.Err)
		}
	}
}

// parse makes a case of steps.
func parse(t testing.TB, steps string) *conformance.Case {
	t.Helper()
	s, err := conformance.Parse("test.txt", strings.NewReader("section: test\ncase test: test\n"+steps))
	if err != nil {
		t.Fatal(err)
	}
	return s.Cases[0]
}

func suite(t *testing.T) []*conformance.Section {
	t.Helper()
	sections, err := conformance.Suite()
	if err != nil {
		t.Fatal(err)
	}
	return sections
}

// TestSuite holds the suite against the kernel that runs here.
func TestSuite(t *testing.T) {
	r, env := newRunner(t), newEnv(t)
	for _, s := range suite(t) {
		t.Run(s.Name, func(t *testing.T) {
			for _, c := range s.Cases {
				t.Run(c.Name, func(t *testing.T) { check(t, run(t, r, env, c)) })
			}
		})
	}
}

// TestSuiteTurnsRed makes one expectation of each case wrong, and wants that step, and no other, to differ.
func TestSuiteTurnsRed(t *testing.T) {
	r, env := newRunner(t), newEnv(t)
	for _, s := range suite(t) {
		for _, c := range s.Cases {
			if repeats(c) {
				continue // the many steps of these would be done once more; TestRun of the engine has them
			}
			t.Run(c.Name, func(t *testing.T) {
				wrong, n := spoil(c)
				o := run(t, r, env, wrong)
				if o.Skipped != "" {
					t.Skip(o.Skipped)
				}
				if o.OK() || len(o.Answers) != n+1 || o.Answers[n].Status != conformance.Differs {
					t.Errorf("step %d: want %s, which is wrong: got %+v", n, wrong.Steps[n].Want, o.Answers)
				}
			})
		}
	}
}

func repeats(c *conformance.Case) bool {
	for _, s := range c.Steps {
		if s.Repeat.Kind != conformance.Once {
			return true
		}
	}
	return false
}

// spoil returns a copy of the case in which one step, chosen by the case's name, expects what can't happen.
func spoil(c *conformance.Case) (wrong *conformance.Case, step int) {
	h := fnv.New32a()
	fmt.Fprint(h, c.Name)
	step = int(h.Sum32() % uint32(len(c.Steps)))
	w := *c
	w.Steps = append([]conformance.Step(nil), c.Steps...)
	w.Steps[step].Want = conformance.Expectation{Kind: conformance.WantErrno, Name: "EXDEV", Text: "EXDEV"}
	return &w, step
}

// TestWrongValues has expectations of each kind that are wrong, and what must be shown instead.
func TestWrongValues(t *testing.T) {
	const head = "f = file data 6000 'a'\nm = mmap 0 3p r|w shared f 0\nstore m 'b'\n"
	tests := []struct{ step, got string }{
		{"load m -> 'a'", "'b'"},
		{"load m 3 -> \"bab\"", `"baa"`},
		{"load m+2p -> SEGV_MAPERR", "BUS_ADRERR"},
		{"load m+2p -> 0", "BUS_ADRERR"},
		{"load m -> SEGV_ACCERR", "'b'"},
		{"store m+2p 1", "BUS_ADRERR"},
		{"load 0 -> SEGV_ACCERR", "SEGV_MAPERR"},
		{"load 0x8000000000000000 -> SEGV_MAPERR", "SI_KERNEL"},
		{"pread f 0 2 -> \"aa\"", `"ba"`},
		{"size f -> 2p", "6000"},
		{"munmap m+1 1p", "EINVAL"},
		{"munmap m+1 1p -> ENOMEM", "EINVAL"},
		{"munmap m 1p -> EINVAL", "ok"},
		{"areas m 3p -> rw-s data+0 2p", "rw-s data+0 3p"},
		{"areas m 3p -> rw-p data+0 3p", "rw-s data+0 3p"},
		{"areas m+1p 1p -> rw-s data+0 1p", "rw-s data+1p 1p"},
		{"mincore m 2p -> 00", "11"},
		{"present m 2p -> 0?", "10"},
		{"vmflags m -> -sh +wr", "+sh +wr"},
		{"mmap m 1p r private|anon|fixed - 0 -> m+1p", "another address"},
		{"mmap m 1p r private|anon|fixed - 0 -> not m", "this very address"},
		{"mtime f -> same", "changed"},
		{"execute m", "SEGV_ACCERR"},
		{"readto f 0 m 2p -> 2p", "6000"},
	}
	r, env := newRunner(t), newEnv(t)
	for _, tt := range tests {
		t.Run(tt.step, func(t *testing.T) {
			o := run(t, r, env, parse(t, head+tt.step))
			last := o.Answers[len(o.Answers)-1]
			if len(o.Answers) != 4 || last.Status != conformance.Differs || !strings.HasPrefix(last.Got, tt.got) {
				t.Errorf("got %+v, %v, want the fourth step to differ with %s", last, o.Err, tt.got)
			}
		})
	}
}

// TestRunnerItself has cases about the runner rather than the kernel: long transfers go through its buffer in parts,
// and several processes keep their names apart.
func TestRunnerItself(t *testing.T) {
	tests := []struct{ name, steps string }{
		{"long file", "f = file data 1M+5 \"abc\"\npread f 786432 5 -> \"abcab\"\npread f 1M 10 -> \"bcabc\"\nsize f -> 1M+5"},
		{"long transfers", "f = file data 0\npwrite f 0 \"ab\"*300k\npread f 0 600k -> \"ab\"*300k\n" +
			"m = mmap 0 200p r|w private|anon - 0\nstore m \"xyz\"*200k\nload m 600k -> \"xyz\"*200k"},
		{"fault in a later part", "m = mmap 0 200p r|w private|anon - 0\nmunmap m+100p 100p\n" +
			"store m 'x'*150p -> SEGV_MAPERR\nload m+100p-1 -> 'x'"},
		{"empty transfers", "m = mmap 0 1p r private|anon - 0\nload m 0 -> \"\"\nstore m \"\"\npread 99 0 1 -> EBADF"},
		{"pages and sparse", "f = file a 2p+1 pages\npread f 1p-1 2 -> \"ab\"\npread f 2p 9 -> 'c'\n" +
			"g = file b 1G sparse\npread g 1G-1 2 -> 0"},
		{"descriptors", "pipe r w\nf = memfd name\nclose r\ng = open . rdonly\nsize f -> 0\nspawn p\np: h = open /dev/zero rdonly\np: exit\nsize g"},
		{"processes", "m = mmap 0 1p r|w private|anon - 0\nstore m 'a'\nfork c\nc: store m 'b'\nc: n = mmap 0 1p r private|anon - 0\n" +
			"c: fork d\nd: load n -> 0\nc: exit\nd: load m -> 'b'\nload m -> 'a'"},
		{"the file's name", "mkdir d\nf = file d/data 1p\nm = mmap 0 1p r private f 0\nareas m 1p -> r--p d/data+0 1p\n" +
			"unlink d/data\nareas m 1p -> r--p d/data+0 1p"},
		{"file exists", "file a 1\nfile a 1 -> EEXIST"},
		{"mtime", "f = file a 1\nmtime f -> same\npwrite f 0 1\nmtime f -> changed\nmtime f -> same"},
		{"size limit", "f = file a 0\nrlimit fsize 1p\npwrite f 1p 0 -> EFBIG\nftruncate f 2p -> EFBIG\nrlimit fsize max\nftruncate f 2p"},
		{"limits count from now", "rlimit as 1p\nmmap 0 2p r private|anon - 0 -> ENOMEM\nmmap 0 1p r private|anon - 0\n" +
			"mmap 0 1p r private|anon - 0 -> ENOMEM\nrlimit as max\nmmap 0 1p r private|anon - 0"},
		{"unprivileged", "f = file a 1\nunprivileged\npwrite f 0 1\nm = mmap 0 1p r private f 0\nareas m 1p -> r--p a+0 1p\n" +
			"load m -> 1\nfork c\nc: load m -> 1\nc: present m 1p -> 1\nunprivileged\ng = open a rdwr"},
	}
	r, env := newRunner(t), newEnv(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { check(t, run(t, r, env, parse(t, tt.steps))) })
	}
}

// TestLanguageDocument runs the cases that LANGUAGE.md shows.
func TestLanguageDocument(t *testing.T) {
	text, err := os.ReadFile("../LANGUAGE.md")
	if err != nil {
		t.Fatal(err)
	}
	r, env := newRunner(t), newEnv(t)
	examples := regexp.MustCompile("(?s)```\n(section:.*?)```").FindAllSubmatch(text, -1)
	if len(examples) != 2 {
		t.Errorf("found %d examples, want 2", len(examples))
	}
	for _, e := range examples {
		s, err := conformance.Parse("LANGUAGE.md", bytes.NewReader(e[1]))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range s.Cases {
			t.Run(c.Name, func(t *testing.T) { check(t, run(t, r, env, c)) })
		}
	}
}

func TestExecute(t *testing.T) {
	const steps = `m = mmap 0 2p r|w|x private|anon - 0
store m '\xc3'
execute m
mprotect m 1p r
execute m -> SEGV_ACCERR
munmap m 1p
execute m -> SEGV_MAPERR
f = file code 1p '\xc3'
n = mmap 0 2p r|x private f 0
execute n+1p-1
execute n+1p -> BUS_ADRERR`
	r, env := newRunner(t), newEnv(t)
	check(t, run(t, r, env, parse(t, steps)))

	o := run(t, r, env, parse(t, "m = mmap 0 1p r|x private|anon - 0\nexecute m"))
	if last := o.Answers[1]; last.Status != conformance.Failed {
		t.Errorf("no return instruction: got %+v, want the runner to say that it can't judge", last)
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
			t.Errorf("after %v: close: %v", after, err)
		}
	}
}
