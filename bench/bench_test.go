package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestQuantile(t *testing.T) {
	nan := math.NaN()
	tests := []struct {
		values []float64
		q      float64
		want   float64
	}{
		{[]float64{7}, 0.5, 7},
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 3, 2}, 0.5, 2.5},
		{[]float64{100, 1, 2, 3, 4}, 0.5, 3}, // one bad round moves nothing
		{[]float64{5, 4, 3, 2, 1}, 0.25, 2},
		{[]float64{5, 4, 3, 2, 1}, 0.75, 4},
		{[]float64{1, 2}, 0.25, 1.25},
		{[]float64{1, 2, 3}, 1, 3},
		{nil, 0.5, nan},
		{[]float64{1, nan, 2}, 0.5, nan},
	}
	for _, tt := range tests {
		before := slices.Clone(tt.values)
		if got := quantile(tt.values, tt.q); !same(got, tt.want) {
			t.Errorf("quantile(%v, %v) = %v, want %v", tt.values, tt.q, got, tt.want)
		}
		if !slices.EqualFunc(tt.values, before, same) {
			t.Errorf("quantile has reordered %v to %v", before, tt.values)
		}
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// The machine is three times slower in the last rounds, for both: the ratio of the
// medians would say 1, which is true in no round.
func TestCompareWithinRounds(t *testing.T) {
	rounds := []round{
		{"ours": 2, "peer": 1}, {"ours": 2, "peer": 1}, {"ours": 6, "peer": 3}, {"ours": 60, "peer": 30}, {"ours": 80, "peer": 40},
	}
	c := compare(rounds, value("ours"), value("peer"))
	want := comparison{ours: 6, peer: 3, ratio: 2, low: 2, high: 2, more: 3}
	if c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
	rounds = []round{{"ours": 1, "peer": 2}, {"ours": 9, "peer": 3}, {"ours": 3, "peer": 9}}
	if c := compare(rounds, value("ours"), value("peer")); c.ratio != 0.5 || c.ours != 3 || c.peer != 3 {
		t.Errorf("the ratio of medians, not the median of ratios: %+v", c)
	}
}

func TestGoals(t *testing.T) {
	c := comparison{ours: 10, peer: 5, ratio: 2, more: 5}
	tests := []struct {
		goal goal
		text string
		met  bool
	}{
		{atLeast(2), "≥ 2 ×", true},
		{atLeast(2.1), "≥ 2.1 ×", false},
		{atMost(2), "≤ 2 ×", true},
		{atMost(1.9), "≤ 1.9 ×", false},
		{atMostMore(5), "≤ peer + 5", true},
		{atMostMore(4), "≤ peer + 4", false},
		{below(10), "≤ 10", true},
		{below(9), "≤ 9", false},
		{noMore, "≤ peer", false},
	}
	for _, tt := range tests {
		if tt.goal.text != tt.text {
			t.Errorf("goal says %q, want %q", tt.goal.text, tt.text)
		}
		if met := tt.goal.judge(c); met == nil || *met != tt.met {
			t.Errorf("%s: met is %v, want %v", tt.text, met, tt.met)
		}
		if met := tt.goal.judge(comparison{ours: 1, peer: math.NaN()}); met != nil {
			t.Errorf("%s: judged without a peer", tt.text)
		}
	}
	if met := noMore.judge(comparison{ratio: math.NaN()}); met == nil || !*met {
		t.Error("nothing at all is more than nothing")
	}
	if (goal{}).judge(c) != nil {
		t.Error("no goal was judged")
	}
}

// fixed is a work in which the doers' measurements are given.
func fixed(name string, doers ...doer) work {
	return work{
		rows:  []row{{name: name, unit: "ns", ours: value("ours"), peer: value("peer"), goal: atMost(2)}},
		setup: func(*env) ([]doer, error) { return doers, nil },
	}
}

func measures(name string, values ...float64) doer {
	i := -1
	return doer{name, func(r round) error {
		i++
		r[name] = values[i]
		return nil
	}}
}

func collect(t *testing.T, rounds int, works ...work) ([]result, error) {
	t.Helper()
	var results []result
	e := &env{dir: t.TempDir(), rounds: rounds, progress: io.Discard}
	err := run(context.Background(), e, works, regexp.MustCompile(""), func(r result) error {
		results = append(results, r)
		return nil
	})
	return results, err
}

func TestRun(t *testing.T) {
	results, err := collect(t, 3, fixed("row", measures("ours", 2, 40, 9), measures("peer", 1, 20, 3)))
	if err != nil || len(results) != 1 {
		t.Fatal(results, err)
	}
	r := results[0]
	if r.Ratio != 2 || r.Low != 2 || r.High != 2.5 || r.Rounds != 3 || r.Met == nil || !*r.Met {
		t.Errorf("got %+v", r)
	}
}

// Each doer has its turn once a round, and each is the first in some round.
func TestTurns(t *testing.T) {
	var turns string
	says := func(s string) doer { return doer{s, func(round) error { turns += s; return nil }} }
	if _, err := collect(t, 4, fixed("row", says("a"), says("b"), says("c"))); err != nil {
		t.Fatal(err)
	}
	if want := "abc" + "bca" + "cab" + "abc"; turns != want {
		t.Errorf("turns were %s, want %s", turns, want)
	}
}

func TestUnavailable(t *testing.T) {
	absent := doer{"peer", func(round) error { return unavailable{"not installed"} }}
	results, err := collect(t, 2, fixed("row", measures("ours", 1, 1), absent))
	if err != nil || len(results) != 1 {
		t.Fatal(results, err)
	}
	r := results[0]
	if r.Ours != 1 || !r.Peer.isNone() || r.Met != nil || r.Note != "peer: not installed" {
		t.Errorf("got %+v", r)
	}
}

// A failure is a row without numbers, and an error; the other works go on.
func TestFailure(t *testing.T) {
	broken := errors.New("broken")
	fails := doer{"peer", func(round) error { return broken }}
	results, err := collect(t, 1, fixed("first", measures("ours", 1), fails), fixed("second", measures("ours", 1), measures("peer", 1)))
	if !errors.Is(err, broken) || len(results) != 2 {
		t.Fatal(results, err)
	}
	if r := results[0]; !r.Ours.isNone() || r.Met != nil || !strings.Contains(r.Note, "peer: broken") {
		t.Errorf("the work that failed: %+v", r)
	}
	if results[1].Ratio != 1 {
		t.Errorf("the work after it: %+v", results[1])
	}
}

func TestJSON(t *testing.T) {
	yes := true
	tests := []struct {
		result result
		want   string
	}{
		{
			result{Name: "a", Unit: "ns", Ours: 2, Peer: 1, Ratio: 2, Low: 1.5, High: 3, More: 1, Goal: "≤ 2 ×", Met: &yes, Rounds: 5, Note: "n"},
			`{"name":"a","unit":"ns","ours":2,"peer":1,"ratio":2,"low":1.5,"high":3,"more":1,"goal":"≤ 2 ×","met":true,"rounds":5,"note":"n"}`,
		}, {
			row{name: "b", ours: value("ours"), peer: value("peer")}.result([]round{{"ours": 1}}, nil),
			`{"name":"b","unit":"","ours":1,"peer":null,"ratio":null,"low":null,"high":null,"more":null,"goal":"","met":null,"rounds":1,"note":""}`,
		}, {
			row{name: "c", ours: value("ours"), peer: value("peer")}.result([]round{{"ours": 1, "peer": 0}}, nil),
			`{"name":"c","unit":"","ours":1,"peer":0,"ratio":null,"low":null,"high":null,"more":1,"goal":"","met":null,"rounds":1,"note":""}`,
		}, {
			result{Ours: number(math.Inf(1)), Peer: number(math.Inf(-1))},
			`{"name":"","unit":"","ours":null,"peer":null,"ratio":0,"low":0,"high":0,"more":0,"goal":"","met":null,"rounds":0,"note":""}`,
		},
	}
	for _, tt := range tests {
		got, err := json.Marshal(tt.result)
		if err != nil || string(got) != tt.want {
			t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	no := false
	var b bytes.Buffer
	err := table(&b, []result{
		{Name: "first", Unit: "ns", Ours: 2, Peer: 1, Ratio: 2, Low: 1.5, High: 3, Goal: "≤ 1 ×", Met: &no, Note: "why"},
		{Name: "second one", Unit: "µs", Ours: 123.4, Peer: number(math.NaN()), Ratio: number(math.NaN()), Low: number(math.NaN()), High: number(math.NaN()), Goal: "≤ 1 ×", Note: "why"},
	})
	want := `
work        unit  ours  peer  ratio  (half of the rounds)  goal   met
first       ns    2.00  1.00   2.00  (1.50–3.00)           ≤ 1 ×  NO            [1]
second one  µs     123     –      –  –                     ≤ 1 ×  not measured  [1]
[1] why
`
	if got := "\n" + b.String(); err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
}

// Each row is there, runs, and says what it is. No number is judged.
func TestQuick(t *testing.T) {
	var out bytes.Buffer
	dir := t.TempDir()
	if err := bench(context.Background(), []string{"-quick", "-json", "-dir", dir}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, w := range allWorks() {
		rows = append(rows, w.rows...)
	}
	dec := json.NewDecoder(&out)
	dec.DisallowUnknownFields()
	for _, row := range rows {
		var r struct {
			Name, Unit, Goal, Note             string
			Ours, Peer, Ratio, Low, High, More *float64
			Met                                *bool
			Rounds                             int
		}
		if err := dec.Decode(&r); err != nil {
			t.Fatalf("%s: %v", row.name, err)
		}
		if r.Name != row.name || r.Unit == "" || r.Rounds != 1 || r.Goal != row.goal.text {
			t.Errorf("%s: got %+v", row.name, r)
		}
		switch {
		case r.Ours != nil && r.Peer != nil && (r.Met != nil || r.Goal == ""):
		case strings.Contains(row.name, "vmtouch") && notInstalled("vmtouch") && strings.Contains(r.Note, "not installed"):
		case strings.Contains(row.name, "cold") && strings.Contains(r.Note, "page cache") && inMemory(t, dir):
			t.Logf("%s: %s", row.name, r.Note)
		default:
			t.Errorf("%s: not measured: %+v", row.name, r)
		}
	}
	if dec.More() {
		t.Error("there are more rows")
	}
}

// inMemory reports whether a directory is on a file system whose pages have no
// other place than the page cache.
func inMemory(t *testing.T, dir string) bool {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	return fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC
}

func notInstalled(name string) bool {
	_, err := exec.LookPath(name)
	return err != nil
}

// The project's goals, by the rows that carry them. A goal is not lowered, nor
// its row dropped, without this test being changed.
func TestGoalsOfTheProject(t *testing.T) {
	want := map[string]string{
		"read/64B/cache beside bare":                      "≤ peer + 8",
		"read/64B/dependent beside bare":                  "≤ peer + 15",
		"read/64B/random beside os.File":                  "≥ 5 ×",
		"read/64B/random/64 in a Guard beside os.File":    "≥ 15 ×",
		"read/4KiB/random beside bare":                    "≤ 1.15 ×",
		"guard/empty beside a bare call":                  "≤ 9",
		"scale/64B/cache, two goroutines beside bare":     "≥ 0.95 ×",
		"scale/4KiB/random, two goroutines beside bare":   "≥ 0.95 ×",
		"cold/64 readers/P=1/computing beside no readers": "≥ 0.8 ×",
		"cold/64 readers/P=2/computing beside no readers": "≥ 0.8 ×",
		"cold/64 readers/P=1/computing beside edsrzf":     "≥ 25 ×",
		"cold/64 readers/P=2/computing beside edsrzf":     "≥ 25 ×",
		"cold/64 readers/P=2/reading beside os.File":      "≥ 1 ×",
		"scan/2GiB beside read(2)":                        "≥ 1.3 ×",
		"scan/2GiB beside a plain mapping":                "≥ 1.1 ×",
		"append/1GiB/0 readers beside remapping":          "≥ 2 ×",
		"append/1GiB/0 readers beside mremap":             "≥ 1 ×",
		"append/1GiB/0 readers beside ristretto":          "≥ 1 ×",
		"append/1GiB/1 readers beside remapping":          "≥ 2 ×",
		"append/1GiB/1 readers beside mremap":             "≥ 1 ×",
		"append/1GiB/1 readers beside ristretto":          "≥ 1 ×",
		"append/1GiB/2 readers beside remapping":          "≥ 2 ×",
		"append/1GiB/2 readers beside mremap":             "≥ 1 ×",
		"append/1GiB/2 readers beside ristretto":          "≥ 1 ×",
		"pauses/append 1GiB/1 readers beside control":     "≤ peer",
		"pauses/append 1GiB/2 readers beside control":     "≤ peer",
		"open, read, close beside x/exp/mmap":             "≤ 1.3 ×",
		"prefault/cold 1GiB beside vmtouch -t":            "≤ 1 ×",
	}
	for _, w := range allWorks() {
		for _, r := range w.rows {
			if r.goal.text != want[r.name] {
				t.Errorf("%s: goal is %q, want %q", r.name, r.goal.text, want[r.name])
			}
			delete(want, r.name)
		}
	}
	for name := range want {
		t.Errorf("%s: no such row", name)
	}
}

func TestSelection(t *testing.T) {
	var out bytes.Buffer
	if err := bench(context.Background(), []string{"-quick", "-run", "^guard|beside edsrzf$", "-list"}, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], "guard/empty") {
		t.Errorf("selected:\n%s", out.String())
	}
	if err := bench(context.Background(), []string{"-run", "("}, io.Discard, io.Discard); err == nil {
		t.Error("a broken regular expression was taken")
	}
}

// Whatever a run makes is gone afterwards, also when it is interrupted.
func TestNothingStays(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ctx := range []context.Context{context.Background(), ctx} {
		err := bench(ctx, []string{"-quick", "-run", "^open", "-dir", dir}, io.Discard, io.Discard)
		if !errors.Is(err, ctx.Err()) {
			t.Errorf("got %v, want %v", err, ctx.Err())
		}
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
	}
}

func TestEvict(t *testing.T) {
	e := &env{dir: t.TempDir()}
	const n = 1 << 20
	name, err := e.dataFile(n)
	if err != nil {
		t.Fatal(err)
	}
	if err := load(name); err != nil {
		t.Fatal(err)
	}
	if got, err := residentPages(name); err != nil || got != n/os.Getpagesize() {
		t.Fatalf("%d pages are resident, %v", got, err)
	}
	err = evict(name)
	if errors.As(err, new(unavailable)) && inMemory(t, e.dir) {
		t.Skip(err)
	}
	if got, countErr := residentPages(name); err != nil || countErr != nil || got != 0 {
		t.Errorf("%d pages are still resident: %v, %v", got, err, countErr)
	}
}

// All logs give back what was appended, and grow for it.
func TestLogs(t *testing.T) {
	for name, create := range map[string]maker{
		"inPlace": newInPlace, "grown": newGrown, "huge": newHuge, "stored": newStored, "remapped": newRemapped, "moved": newMoved, "ristretto": newRistretto,
	} {
		t.Run(name, func(t *testing.T) {
			const limit = 4 << 20
			l, remove, err := createLog(&env{dir: t.TempDir()}, create, 1<<20, limit)
			if err != nil {
				t.Fatal(err)
			}
			if err := appendAll(l, limit, 1, readRecords); err != nil {
				t.Error(err)
			}
			rec := make([]byte, recordSize)
			for off := int64(0); off < limit; off += recordSize {
				if err := readRecord(l, rec, off); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(l.close(), remove()); err != nil {
				t.Error(err)
			}
		})
	}
}
