package library

import (
	"maps"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/conformance"
)

// firstStep is the line of the first step of the cases that parse makes.
const firstStep = 3

// parse makes a case of steps.
func parse(t testing.TB, steps string) *conformance.Case {
	t.Helper()
	s, err := conformance.Parse("test.txt", strings.NewReader("section: test\ncase test: test\n"+steps))
	if err != nil {
		t.Fatal(err)
	}
	return s.Cases[0]
}

func TestPlanPlacements(t *testing.T) {
	const reserve = "r = mmap 0 4p none private|anon|noreserve - 0\n"
	tests := map[string]struct {
		steps string
		want  map[int]int // steps count from 0
	}{
		"nothing placed":         {reserve + "munmap r 1p", nil},
		"placed":                 {reserve + "mmap r+1p 1p r private|anon|fixed - 0", map[int]int{0: 1}},
		"placed without replace": {reserve + "mmap r 1p r private|anon|fixed_noreplace - 0", map[int]int{0: 1}},
		"a hint is no placement": {reserve + "mmap r 1p r private|anon - 0", nil},
		"the last one counts": {reserve + "mmap r 1p r private|anon|fixed - 0\nload r\nmmap r 1p r private|anon|fixed - 0\nload r",
			map[int]int{0: 3}},
		"through another name": {reserve + "a = mmap r+1p 1p r private|anon|fixed - 0\nmmap a 1p r private|anon|fixed - 0",
			map[int]int{0: 2}},
		"by mremap": {reserve + "m = mmap 0 1p r private|anon - 0\nn = mremap m 1p 1p maymove|fixed r\no = mremap n 1p 1p maymove|fixed r+2p",
			map[int]int{0: 3}},
		"moved away": {reserve + "a = mmap r 1p r private|anon|fixed - 0\na = mremap a 1p 2p maymove\nmmap a 1p r private|anon|fixed - 0",
			map[int]int{0: 1}},
		"in a child": {reserve + "fork c\nc: mmap r 1p r private|anon|fixed - 0", map[int]int{0: 2}},
		"name used again": {reserve + reserve + "mmap r 1p r private|anon|fixed - 0",
			map[int]int{1: 2}},
		"name of a file since": {reserve + "r = file a 1p\nm = mmap 0 1p r private r 0", nil},
		"accessible memory":    {"r = mmap 0 4p r private|anon - 0\nmmap r 1p r private|anon|fixed - 0", nil},
		"shared memory":        {"r = mmap 0 4p none shared|anon - 0\nmmap r 1p r private|anon|fixed - 0", nil},
		"at a literal address": {"r = mmap 1G 4p none private|anon|fixed_noreplace - 0\nmmap r 1p r private|anon|fixed - 0", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := map[int]int{}
			for root, last := range tt.want {
				want[root+firstStep] = last + firstStep
			}
			if got := newPlan(parse(t, tt.steps)).placements; !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestPlanProcesses(t *testing.T) {
	c := parse(t, "fork a\na: fork b\nspawn c\nc: exit")
	if got := newPlan(c).processes; got != 4 {
		t.Errorf("got %d processes, want 4", got)
	}
}

func TestPlanRefusesAreaLimits(t *testing.T) {
	if got := newPlan(parse(t, "needs: root\nmunlockall")).refused; got != "" {
		t.Errorf("an ordinary case is refused: %s", got)
	}
	if newPlan(parse(t, "needs: areas 100\nmunlockall")).refused == "" {
		t.Errorf("a case at the limit of areas is not refused")
	}
}
