package memmap

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/race"
	"github.com/memmap-go/memmap/internal/sys"
)

// TestRecycling keeps thousands of slices of closed mappings, while others of all
// sizes are made and closed as fast as that goes. In the first half of the quarantine
// each of them must fault. After it, addresses are used again.
func TestRecycling(t *testing.T) {
	checkLeaks(t)
	// Short, so that many turns fit into a moment.
	r := recycling{bounds: Quarantine{Time: 100 * time.Millisecond, Bytes: defaultQuarantine.Bytes}}
	defer SetQuarantine(SetQuarantine(r.bounds))
	storm(t, r.churn(t), r.churn(t), r.churn(t), collect)
	t.Logf("%d mappings, %d at addresses that were used before; %d slices looked at after Close", r.made.Load(), r.again.Load(), r.stale.Load())
	if r.stale.Load() == 0 || r.again.Load() == 0 {
		t.Error("want slices to be looked at, and addresses to be used again")
	}
}

type recycling struct {
	bounds             Quarantine
	made, again, stale atomic.Int64
	closed             atomic.Int64 // bytes
}

// keptSlice is a slice that was kept for longer than its mapping.
type keptSlice struct {
	*Mapping
	raw    []byte
	since  time.Time // shortly before it was closed
	closed int64     // recycling.closed at that time
}

func (r *recycling) churn(t *testing.T) func(*rand.Rand) {
	kept := make([]keptSlice, 3000)
	seen := make(map[uintptr]bool)
	return func(rnd *rand.Rand) {
		m, err := Anonymous(1+rnd.Int64N(64*pageSize), nil)
		if err != nil {
			t.Error(err)
			return
		}
		r.made.Add(1)
		pages := m.now.Load().pages
		if seen[pages.addr] {
			r.again.Add(1)
		}
		seen[pages.addr] = true
		fresh := keptSlice{m, m.Bytes(), time.Now(), r.closed.Load()}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		r.closed.Add(int64(pages.n))
		i := rnd.IntN(len(kept))
		if k := kept[i]; r.isYoung(k) {
			r.stale.Add(1)
			if !faults(k.raw, rnd.IntN(len(k.raw))) && r.isYoung(k) {
				t.Error("a slice of a closed mapping shows bytes")
			}
		}
		kept[i] = fresh
	}
}

// isYoung reports whether a slice can't lie in memory that is used again.
func (r *recycling) isYoung(k keptSlice) bool {
	return k.Mapping != nil && time.Since(k.since) < r.bounds.Time/2 && r.closed.Load()-k.closed < r.bounds.Bytes/2
}

// TestCloseRefused has a mapping whose memory can't be replaced, nor protected: the
// kernel has sealed it. Close says so. The range stays out of use for ever, and
// nothing else suffers from it.
func TestCloseRefused(t *testing.T) {
	if !inChild(t) {
		return
	}
	m, err := Anonymous(2*pageSize, nil)
	must(t, err)
	sealed := m.now.Load().pages
	mustSeal(t, sealed)
	wantError(t, m.Close(), "close", sys.EPERM)
	wantError(t, m.Close(), "close", ErrClosed)
	if _, err := m.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got error %v, want ErrClosed", err)
	}
	for range 100 {
		other, err := Anonymous(pageSize, nil)
		must(t, err)
		if sealed.holds(other.now.Load().pages.addr) {
			t.Fatal("the range is used again")
		}
		must(t, other.Close())
	}
	if got := stuckRanges(); got != 1 {
		t.Errorf("%d ranges are stuck, want 1", got)
	}
}

// TestRoomLimit asks for room to grow that RLIMIT_AS doesn't allow.
func TestRoomLimit(t *testing.T) {
	if !inChild(t) {
		return
	}
	if race.Enabled {
		t.Skip("the race detector needs more address space")
	}
	checkLeaks(t)
	used, err := addressSpaceUsed()
	must(t, err)
	setLimit(t, syscall.RLIMIT_AS, used+256<<20)
	name := makePath(t, pattern(100))
	_, err = Open(name, &FileConfig{Prot: Read | Write, MaxLen: 512 << 20})
	if e := wantError(t, err, "open", sys.ENOMEM); !strings.Contains(e.Error(), "RLIMIT_AS") || e.Name != name {
		t.Errorf("got error %q, want RLIMIT_AS and the name in it", e)
	}
	m := mustMap(t)(Open(name, &FileConfig{Prot: Read | Write, MaxLen: 16 << 20}))
	must(t, m.Grow(8<<20))
	wantBytes(t, "grown", m.Bytes()[:100], pattern(100))
	if e := wantError(t, m.Grow(32<<20), "grow", sys.ENOMEM); !strings.Contains(e.Error(), "MaxLen") {
		t.Errorf("got error %q, want MaxLen in it", e)
	}
}

// TestAreaLimitChurn does what needs areas, at the limit of them, again and again.
// Each operation works, or is an error that names the limit, and has changed
// nothing.
func TestAreaLimitChurn(t *testing.T) {
	if !inChild(t, atLimit) {
		return
	}
	prepareForLimit(t)
	checkLeaks(t)
	c := &churn{t: t, rnd: rand.New(rand.NewPCG(49, 10))}
	for range 20 {
		c.open()
	}
	filled := fillAreas(t)
	free := func(n int) {
		left := len(filled) - n
		unmapAll(t, filled[left:])
		filled = filled[:left]
	}
	for end := time.Now().Add(stormMoment()); time.Now().Before(end); {
		free(c.rnd.IntN(4))
		switch c.rnd.IntN(10) {
		case 0, 1, 2:
			c.open()
		case 3:
			c.close()
		case 4, 5, 6:
			c.unmap()
		default:
			c.protect()
		}
		free(10) // the Go runtime dies of the limit, if it needs memory there
		for _, x := range c.ms {
			c.check(x)
		}
		filled = fillMore(t, filled)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d operations worked, %d were refused", c.worked, c.refused)
	if c.worked == 0 || c.refused == 0 {
		t.Error("want some to work, and some to be refused")
	}
	unmapAll(t, filled)
	for len(c.ms) > 0 {
		c.close()
	}
	mustMap(t)(Anonymous(1, nil))
	if got := stuckRanges(); got != 0 {
		t.Errorf("%d ranges are stuck though areas are free, want 0", got)
	}
}

// churn has mappings, and knows what stands at each page of them.
type churn struct {
	t               *testing.T
	rnd             *rand.Rand
	ms              []*churned
	worked, refused int
}

type churned struct {
	*Mapping
	pages []Prot // None: unmapped
	mark  byte
}

// ok counts an operation, and reports whether it worked.
func (c *churn) ok(err error) bool {
	if err == nil {
		c.worked++
		return true
	}
	c.refused++
	if !errors.Is(err, sys.ENOMEM) || !strings.Contains(err.Error(), "vm.max_map_count") {
		c.t.Errorf("got error %v, want vm.max_map_count in it", err)
	}
	return false
}

func (c *churn) open() {
	n := 1 + c.rnd.Int64N(8)
	m, err := Anonymous(n*pageSize, nil)
	if !c.ok(err) {
		return
	}
	x := &churned{m, slices.Repeat([]Prot{Read | Write}, int(n)), byte(1 + c.rnd.IntN(255))}
	if _, err := m.WriteAt(bytes.Repeat([]byte{x.mark}, int(n*pageSize)), 0); err != nil {
		c.t.Error(err)
	}
	c.ms = append(c.ms, x)
}

// close never fails, at any limit.
func (c *churn) close() {
	if len(c.ms) == 0 {
		return
	}
	i := c.rnd.IntN(len(c.ms))
	stale := c.ms[i].Bytes()
	if err := c.ms[i].Close(); err != nil {
		c.t.Error(err)
	}
	if !faults(stale, c.rnd.IntN(len(stale))) {
		c.t.Error("accessible after Close")
	}
	c.ms = slices.Delete(c.ms, i, i+1)
}

// part returns a mapping and some of its pages.
func (c *churn) part() (x *churned, lo, n int64) {
	if len(c.ms) == 0 {
		return nil, 0, 0
	}
	x = c.ms[c.rnd.IntN(len(c.ms))]
	lo = c.rnd.Int64N(int64(len(x.pages)))
	return x, lo, 1 + c.rnd.Int64N(int64(len(x.pages))-lo)
}

func (c *churn) protect() {
	x, lo, n := c.part()
	if x == nil || slices.Contains(x.pages[lo:lo+n], None) {
		return
	}
	prot := []Prot{Read, Read | Write}[c.rnd.IntN(2)]
	if c.ok(x.Protect(lo*pageSize, n*pageSize, prot)) {
		for i := range n {
			x.pages[lo+i] = prot
		}
	}
}

func (c *churn) unmap() {
	x, lo, n := c.part()
	if x == nil || slices.Contains(x.pages[lo:lo+n], None) {
		return
	}
	if c.ok(x.Unmap(lo*pageSize, n*pageSize)) {
		for i := range n {
			x.pages[lo+i] = None
		}
	}
}

// check tries every page of a mapping.
func (c *churn) check(x *churned) {
	b := make([]byte, 1)
	for i, prot := range x.pages {
		at := int64(i)*pageSize + c.rnd.Int64N(pageSize)
		_, err := x.ReadAt(b, at)
		if readable := err == nil; readable != (prot != None) || readable && b[0] != x.mark {
			c.t.Errorf("page %d, %v: read %#x, %v; want %#x", i, prot, b[0], err, x.mark)
		}
		_, err = x.WriteAt([]byte{x.mark}, at)
		if writable := err == nil; writable != (prot&Write != 0) {
			c.t.Errorf("page %d, %v: write got error %v", i, prot, err)
		}
	}
}
