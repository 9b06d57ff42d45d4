package conformance

import (
	"strings"
	"testing"
)

// TestImpossible has steps that no system could do as the case wants, and what the parser says.
func TestImpossible(t *testing.T) {
	tests := []struct{ step, want string }{
		{"mprotect 0 1p r -> SEGV_ACCERR", "mprotect is a call and doesn't fault"},
		{"m = mmap 0 1p r private|anon - 0 -> BUS_ADRERR", "mmap is a call"},
		{"load 0 -> ENOMEM", "load never gives an error number, it faults"},
		{"store 0 1 -> EFAULT", "store never gives an error number"},
		{"execute 0 -> EPERM", "execute never gives an error number"},
		{"until ENOMEM i 3: load i", "load never gives an error number"},
		{"areas 0 1p -> SEGV_MAPERR", "areas doesn't fault"},
		{"areas 0 1p -> ENOMEM", "areas never gives an error number"},
		{"present 0 1p -> ENOMEM", "present never gives an error number"},
		{"exit -> EPERM", "exit never gives an error number"},
		{"load 0 4 -> 0", "load gives as many bytes as it reads: 4"},
		{"load 0 -> 0*2", "load gives as many bytes as it reads: 1"},
		{"load 0 2p -> 0*1p", "load gives as many bytes as it reads: 2p"},
		{`load 0 3 -> "ab"`, "load gives as many bytes as it reads: 3"},
		{`f = file x 1p` + "\n" + `pread f 0 1 -> "ab"`, "pread gives no more bytes than it reads: 1"},
		{"mincore 0 2p -> 1", "mincore gives a 0 or 1 for each page of 2p"},
		{"present 0 1p+1 -> 1", "present gives a 0 or 1 for each page of 1p+1"},
		{"vmflags 0 -> +zz", `unknown flag "zz", there are: rd wr`},
		{"vmflags 0", "vmflags checks nothing"},
		{"vmflags 0 -> ok", "vmflags checks nothing"},
		{"repeat 0 i: munlockall", "0 times: then nothing is checked"},
		{"repeat 2-2 i: munlockall", "2-2 times: then nothing is checked"},
		{"until ENOMEM i 0p: munlockall", "0p times: then nothing is checked"},
		{"file x -1", "file: SIZE: -1 is more than the 1G"},
		{"file x max pages", "file: SIZE: max is more than the 1G"},
		{"file x 1G+1 'a'", "file: SIZE: 1G+1 is more than the 1G that a file is filled with; sparse makes longer ones"},
		{"file x 300000p", "file: SIZE: 300000p is more than the 1G"},
		{`file x 1p ""`, "file: FILL: no bytes to fill with"},
		{`file x 1p "ab"*0`, "file: FILL: no bytes to fill with"},
	}
	for _, tt := range tests {
		_, err := Parse("t", strings.NewReader("section: s\ncase c: what\n"+tt.step+"\n"))
		if err == nil || !strings.Contains(err.Error(), ": "+tt.want) {
			t.Errorf("%s: got error %v, want %q", tt.step, err, tt.want)
		}
	}
}

// TestPossible has steps that are like those above, but may be right.
func TestPossible(t *testing.T) {
	for _, steps := range []string{
		"load 0 -> KILLED",
		"munlockall -> KILLED",
		"load 0 4k -> 0*1p", // right where a page is as large
		"load 0 1p -> 0*4k",
		"repeat 2 i: load 0 i+1 -> 0",
		"f = file x 1p\npread f 0 9 -> \"\"",
		"mincore 0 8k -> 1", // right where a page is larger
		"mincore 0 0 -> EINVAL",
		"until ENOMEM i 3: munlockall\nrepeat i j: munlockall",
		"file x 1G",
		"file x 100000p", // less than 1G where a page is small
		"file x -1 sparse -> EINVAL",
		"file x 8T sparse",
		`repeat 2 i: file x 1p "ab"*i`,
		"areas 0 1p\npresent 0 1p",
	} {
		if _, err := Parse("t", strings.NewReader("section: s\ncase c: what\n"+steps+"\n")); err != nil {
			t.Errorf("%q: got error %v", steps, err)
		}
	}
}

// TestRunFill has sizes of new files that the parser can't know. No runner ever gets to see the wrong ones.
func TestRunFill(t *testing.T) {
	tests := []struct{ steps, want string }{
		{"repeat 2 i: f = file x i*2G", "failed file: SIZE: i*2G is more than the 1G that a file is filled with; sparse makes longer ones\n"},
		{"until ENOSPC i 2: f = file x i*2G", "failed file: SIZE: i*2G is more than the 1G that a file is filled with; sparse makes longer ones\n"},
		{"repeat 2 i: f = file x 262145p-i*1p", "failed file: SIZE: 262145p-i*1p is more than the 1G that a file is filled with; sparse makes longer ones\n"},
		{"repeat 2 i: f = file x i*2G sparse", "met ok\n"},
		{`repeat 2 i: f = file x 1p "ab"*i`, "failed file: FILL: no bytes to fill with\n"},
	}
	for _, tt := range tests {
		do := func(_ int, s *Step) (Result, error) {
			if n, err := testEval(s.Args[1].Expr); err != nil || n > maxFile && s.fills() {
				t.Errorf("%s: a runner was asked for %d bytes, %v", tt.steps, n, err)
			}
			return FD(), nil
		}
		if got := answers(runSteps(t, t.Context(), &scripted{do: do}, tt.steps)); got != tt.want {
			t.Errorf("%s: got %swant %s", tt.steps, got, tt.want)
		}
	}
}

// TestRunLostCounter has a counter that a runner couldn't find out: then it is no mistake that it is 0.
func TestRunLostCounter(t *testing.T) {
	do := func(n int, _ *Step) (Result, error) { return Result{}, ErrNotExpressible }
	o := runSteps(t, t.Context(), &scripted{do: do}, "until ENOMEM n 5: munlockall\nrepeat n i: munlockall")
	for _, a := range o.Answers {
		if a.Status != NotExpressed {
			t.Errorf("%s: got %v, want %v", a.Step.Text, a.Status, NotExpressed)
		}
	}
}
