package memmap

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/race"
)

// TestStorm does all works that recover on two mappings, on small stacks and on
// deep ones, while their files are truncated and extended, they are closed and
// opened again, grow and shrink, lose and regain protection, and the garbage
// collector runs without pause.
//
// It happens in a child process, so that a death is something to count.
func TestStorm(t *testing.T) {
	if isChild(t) {
		m, err := Map(os.NewFile(3, "tally"), &FileConfig{Prot: Read | Write})
		must(t, err)
		rage(t, openTally(t, m))
		return
	}
	checkLeaks(t)
	r := runStorm(t, stormMoment())
	for _, out := range r.deaths {
		t.Errorf("the process died:\n%s", out)
	}
	if *stormTime > 0 {
		fmt.Print(r) // also without -v
	} else {
		t.Log(r)
	}
	if missing := r.tally.missing(); len(missing) > 0 && len(r.deaths) == 0 {
		t.Errorf("the storm has not seen all it should: %v", missing)
	}
}

// TestStormDeath wants a death to be counted, and what was counted before it.
func TestStormDeath(t *testing.T) {
	if isChild(t) {
		m, err := Map(os.NewFile(3, "tally"), &FileConfig{Prot: Read | Write})
		must(t, err)
		atomic.AddInt64(&openTally(t, m).works[0], 1)
		stale := m.Bytes()
		must(t, m.Close())
		touched = stale[0]
	}
	checkLeaks(t)
	r := runStorm(t, time.Nanosecond)
	if len(r.deaths) != 1 || r.tally.faults() != 1 || !strings.Contains(r.deaths[0], "unexpected fault address") {
		t.Errorf("got %d deaths, want 1 of a fault, after 1 fault that became an error:\n%s", len(r.deaths), r)
	}
}

// stormResult is what is known after a storm.
type stormResult struct {
	tally  *tally
	lasted time.Duration
	deaths []string // what the processes said
}

func (r stormResult) String() string {
	return fmt.Sprintf("storm: %.1fs, %d faults converted, %d deaths\n%v", r.lasted.Seconds(), r.tally.faults(), len(r.deaths), r.tally)
}

// maxDeaths ends a storm early.
const maxDeaths = 3

// runStorm runs the calling test in a child process, and again for the rest of the
// time if that dies. The tally is memory that both share, and so outlives it.
func runStorm(t *testing.T, moment time.Duration) stormResult {
	t.Helper()
	m := mustMap(t)(Anonymous(8*int64(len(works)+len(calls)+len(ends)), &AnonConfig{Shared: true, Name: "tally"}))
	f, err := m.File()
	must(t, err)
	defer f.Close()
	r := stormResult{tally: openTally(t, m)}
	for start := time.Now(); ; {
		cmd := childCommand(t, "-storm="+(moment-r.lasted).String(), "-test.timeout="+(moment+time.Minute).String())
		cmd.ExtraFiles = []*os.File{f}
		out, err := cmd.CombinedOutput()
		r.lasted = time.Since(start)
		switch {
		case err == nil:
			return r
		case cmd.ProcessState == nil || cmd.ProcessState.ExitCode() == 1:
			t.Errorf("child process: %v\n%s", err, out)
			return r
		}
		r.deaths = append(r.deaths, firstLines(out, 100))
		if r.lasted >= moment || len(r.deaths) == maxDeaths {
			return r
		}
	}
}

// ends are how guarded access ends in a storm.
var ends = []struct {
	name string
	is   error
}{
	{"good", nil}, {"end of file", io.EOF}, {"truncated", ErrTruncated}, {"closed", ErrClosed}, {"protected", ErrProtected},
	{"outside", ErrRange},
	{"accessible again", ErrAgain}, // extended before we could look
}

// tally says how often things were seen, so that a storm that proves nothing is
// noticed.
type tally struct {
	works []int64 // faults that became errors, by work, then by call
	ends  []int64 // calls, by their ends
}

func openTally(t *testing.T, m *Mapping) *tally {
	t.Helper()
	counts, err := Slice[int64](m, 0, len(works)+len(calls)+len(ends))
	must(t, err)
	n := len(works) + len(calls)
	return &tally{counts[:n], counts[n:]}
}

// count checks how a work ended.
func (c *tally) count(t *testing.T, work int, err error) {
	for i, end := range ends {
		if !errors.Is(err, end.is) {
			continue
		}
		atomic.AddInt64(&c.ends[i], 1)
		if errors.Is(err, ErrFault) {
			atomic.AddInt64(&c.works[work], 1)
		}
		return
	}
	t.Errorf("%s: unexpected error: %v", workName(work), err)
}

// workName is what one of tally.works counts.
func workName(i int) string {
	if i < len(works) {
		return works[i].name
	}
	return calls[i-len(works)].name
}

func (c *tally) faults() int64 {
	var n int64
	for i := range c.works {
		n += atomic.LoadInt64(&c.works[i])
	}
	return n
}

// missing lists what the storm should have seen, and has not.
func (c *tally) missing() []string {
	var names []string
	for i, end := range ends[:5] {
		if c.ends[i] == 0 {
			names = append(names, end.name)
		}
	}
	if c.faults() < 50*int64(len(c.works)) {
		return names // too short to hit each
	}
	for i, n := range c.works {
		if n == 0 && !(race.Enabled && i < len(works) && works[i].kind == notByRacer) {
			names = append(names, workName(i))
		}
	}
	return names
}

func (c *tally) String() string {
	var b strings.Builder
	b.WriteString("calls by how they ended:\n")
	writeCounts(&b, c.ends, func(i int) string { return ends[i].name })
	b.WriteString("faults by what was done:\n")
	writeCounts(&b, c.works, workName)
	return b.String()
}

// writeCounts writes a table of four columns.
func writeCounts(b *strings.Builder, counts []int64, name func(int) string) {
	for i, n := range counts {
		cell := fmt.Sprintf("%9d %-26s", n, name(i))
		if i%4 == 3 || i == len(counts)-1 {
			cell = strings.TrimRight(cell, " ") + "\n"
		}
		b.WriteString(cell)
	}
}

const workers int64 = 8

// rage is the storm itself.
func rage(t *testing.T, c *tally) {
	defer debug.SetGCPercent(debug.SetGCPercent(1))
	targets := []*target{newTarget(t), newTarget(t)}
	var fns []func(*rand.Rand)
	for i := range workers {
		w := &worker{t: t, tally: c, desk: newDesk(targetSize), targets: targets, stripe: i}
		fns = append(fns, w.step)
	}
	fns = append(fns, func(*rand.Rand) { runtime.GC() })
	for _, x := range targets {
		fns = append(fns, x.resizeFile, x.reopen, x.change)
	}
	storm(t, fns...)
	for _, x := range targets {
		must(t, x.now.Load().Close())
	}
}

// target is a mapping that the storm rages on.
type target struct {
	t    *testing.T
	file *os.File
	now  atomic.Pointer[Mapping]
}

var targetSize = 8 * pageSize

func newTarget(t *testing.T) *target {
	x := &target{t: t, file: makeFile(t, make([]byte, targetSize))}
	x.open()
	return x
}

// open begins at an odd offset, so that words and pages lie across.
func (x *target) open() {
	m, err := MapRange(x.file, 100, targetSize-100, &FileConfig{Prot: Read | Write, MaxLen: 2 * targetSize, Sparse: true, NoRaceShadow: true})
	if err != nil {
		x.t.Error(err)
		return
	}
	x.now.Store(m)
}

func (x *target) resizeFile(rnd *rand.Rand) {
	if err := x.file.Truncate(rnd.Int64N(targetSize)); err != nil {
		x.t.Error(err)
	}
	time.Sleep(time.Duration(rnd.IntN(100)) * time.Microsecond)
}

func (x *target) reopen(rnd *rand.Rand) {
	time.Sleep(time.Duration(rnd.IntN(500)) * time.Microsecond)
	old := x.now.Load()
	x.open()
	if err := old.Close(); err != nil {
		x.t.Error(err)
	}
}

// change grows, shrinks and protects, while the file has another length than the
// mapping thinks.
func (x *target) change(rnd *rand.Rand) {
	m := x.now.Load()
	n := 1 + rnd.Int64N(targetSize)
	var err error
	switch rnd.IntN(4) {
	case 0:
		err = m.Grow(targetSize + n - 100)
	case 1:
		err = m.Truncate(n)
	case 2:
		err = m.Protect(0, m.Len(), []Prot{None, Read}[rnd.IntN(2)])
	case 3:
		err = m.Protect(0, m.Len(), Read|Write)
	}
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrRange) {
		x.t.Error(err)
	}
	time.Sleep(time.Duration(rnd.IntN(200)) * time.Microsecond)
}

// worker works on the targets, in one goroutine.
type worker struct {
	t       *testing.T
	tally   *tally
	desk    *desk
	targets []*target
	stripe  int64 // of each page, for accesses that the race detector sees

	kept [2]*Mapping // used for some steps, be they closed meanwhile
	raw  [2][]byte
	left int
}

func (w *worker) step(rnd *rand.Rand) {
	if w.left--; w.left < 0 {
		for i, x := range w.targets {
			w.kept[i] = x.now.Load()
			w.raw[i] = w.kept[i].Bytes()
		}
		w.left = rnd.IntN(8)
	}
	if rnd.IntN(8) == 0 {
		w.call(rnd)
		return
	}
	a := rnd.IntN(2)
	from, to := w.part(rnd, a), w.part(rnd, 1-a)
	if from == nil || to == nil {
		w.left = 0
		return
	}
	i := pickWork(rnd)
	var err error
	call := func() { err = w.guard(rnd, i, from, to) }
	switch how := rnd.IntN(8); {
	case how == 0 || works[i].kind == endsIt:
		onFreshStack(call)
	case how == 1:
		deep(50, call)
	default:
		call()
	}
	w.tally.count(w.t, i, err)
}

// calls are the guarded ways into a mapping.
var calls = []struct {
	name string
	do   func(m *Mapping, b []byte, off int64) error
}{
	{"ReadAt", func(m *Mapping, b []byte, off int64) error { _, err := m.ReadAt(b, off); return err }},
	{"WriteAt", func(m *Mapping, b []byte, off int64) error { _, err := m.WriteAt(b, off); return err }},
	{"Load", func(m *Mapping, _ []byte, off int64) error { _, err := Load[[16]byte](m, off); return err }},
	{"Store", func(m *Mapping, _ []byte, off int64) error { return Store(m, off, [3]uint16{1, 2, 3}) }},
}

// call makes one of them. The race detector may see what they do, so that the
// workers stay out of each other's way then.
func (w *worker) call(rnd *rand.Rand) {
	i := rnd.IntN(len(calls))
	off, n := rnd.Int64N(targetSize), 1+rnd.Int64N(targetSize)
	if race.Enabled {
		off = roundDown(off, pageSize) + w.stripe*pageSize/workers
		n = 1 + rnd.Int64N(pageSize/workers)
	}
	err := calls[i].do(w.kept[rnd.IntN(2)], w.desk.heap[:n], off)
	w.tally.count(w.t, len(works)+i, err)
}

// part returns some bytes of a mapping, or nil if it is too short.
func (w *worker) part(rnd *rand.Rand, i int) []byte {
	room := int64(len(w.raw[i])) - shortest
	if room < 0 {
		return nil
	}
	off := rnd.Int64N(room + 1)
	n := shortest + rnd.Int64N(min(room-off, pageSize)+1)
	return w.raw[i][off:][:n]
}

// guard does the work under one guard, or under two.
func (w *worker) guard(rnd *rand.Rand, i int, from, to []byte) error {
	do := func() error {
		works[i].do(w.desk, from, to)
		return nil
	}
	if rnd.IntN(4) > 0 {
		return Guard(do, w.kept[:]...)
	}
	return Guard(func() error { return Guard(do, w.kept[0]) }, w.kept[1])
}
