package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/conformance"
)

// watch runs steps with a watched fake, and returns what it saw before, by line.
// The first step is on line 3. The fake shows one area more after each munlockall.
func watch(t *testing.T, steps string) map[int]int {
	t.Helper()
	s, err := conformance.Parse("watch.txt", strings.NewReader("section: s\ncase c: what\n"+steps))
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{name: "fake", answers: map[string]answer{}}
	for _, st := range s.Cases[0].Steps {
		if st.Op == "areas" {
			f.answers[st.Text] = func(done map[string]int) (conformance.Result, error) {
				return conformance.Areas(slices.Repeat([]conformance.Area{area("r--p", 0, 1)}, done["munlockall"]+1)), nil
			}
		}
	}
	w := newWatcher(f)
	for o := range conformance.Run(t.Context(), s.Cases, []conformance.Runner{w}, &conformance.Env{}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	seen := map[int]int{}
	for line, areas := range w.before {
		seen[line] = len(areas)
	}
	return seen
}

func TestWatcher(t *testing.T) {
	const m = "m = mmap 0 4p r private|anon - 0\n"
	tests := []struct {
		name, steps string
		want        map[int]int
	}{
		{"since the range exists", "munlockall\n" + m + "munlockall\nmunlockall\nareas m 4p", map[int]int{7: 2}},
		{"since it was looked at", m + "munlockall\nareas m 4p\nmunlockall\nmunlockall\nareas m 4p", map[int]int{5: 1, 8: 2}},
		{"another range", m + "areas m 4p\nmunlockall\nmunlockall\nareas m 2p", map[int]int{7: 1}},
		{"a name with a new value", m + "munlockall\n" + m + "areas m 4p", map[int]int{}},
		{"looked at where it is now", m + m + "areas m 4p\nmunlockall\nareas m 4p", map[int]int{7: 1}},
		{"a repeated look", m + "munlockall\nrepeat 2 i: areas m+i*1p 1p", map[int]int{}},
	}
	for _, tt := range tests {
		got := watch(t, tt.steps)
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
			continue
		}
		for line, n := range tt.want {
			if got[line] != n {
				t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

// An interruptible session counts how often it was interrupted.
type interruptible struct {
	conformance.Session
	n int
}

func (i *interruptible) Interrupt() { i.n++ }

// TestWatcherInterrupts checks that a watched session is as interruptible as the one it watches.
func TestWatcherInterrupts(t *testing.T) {
	inner := &interruptible{}
	for _, s := range []conformance.Session{inner, &fakeSession{}} {
		var watched conformance.Session = &watchedSession{Session: s}
		watched.(conformance.Interrupter).Interrupt()
	}
	if inner.n != 1 {
		t.Errorf("interrupted %d times, want 1", inner.n)
	}
}
