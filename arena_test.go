package memmap

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// testSpace returns address space of the test's own, which is unmapped at its end.
func testSpace(t *testing.T) *space {
	t.Helper()
	needMappings(t)
	s := newSpace()
	t.Cleanup(func() {
		for _, a := range s.arenas {
			if err := sys.Unmap(a.addr, a.n); err != nil {
				t.Error(err)
			}
		}
	})
	return s
}

func mustTake(t *testing.T, s *space, n, align uintptr) span {
	t.Helper()
	got, err := s.take(n, align)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func mustGiveBack(t *testing.T, s *space, r span) {
	t.Helper()
	if err := s.giveBack(r); err != nil {
		t.Fatal(err)
	}
}

// age makes the oldest n ranges in quarantine look as if they had served their
// time.
func age(s *space, n int) {
	for i := range s.waiting()[:n] {
		s.waiting()[i].since = time.Now().Add(-2 * defaultQuarantine.Time)
	}
}

// waiting returns what is in quarantine.
func (s *space) waiting() []quarantined { return s.quarantine.ranges[s.quarantine.head:] }

// checkSpace checks what must hold of a space at any time: each byte of its arenas
// is in one state. The given ranges have been taken from it.
func checkSpace(t *testing.T, s *space, taken []span) {
	t.Helper()
	all := slices.Concat(taken, s.free, s.stuck)
	var waiting uintptr
	for _, q := range s.waiting() {
		all = append(all, q.span)
		waiting += q.n
	}
	if waiting != s.quarantine.bytes {
		t.Fatalf("the quarantine counts %d bytes, and has %d", s.quarantine.bytes, waiting)
	}
	byAddress := func(a, b span) int { return cmp.Compare(a.addr, b.addr) }
	if !slices.IsSortedFunc(s.free, byAddress) {
		t.Fatalf("free spans are not in order: %x", s.free)
	}
	for i := range s.free[min(1, len(s.free)):] {
		if s.free[i].end() == s.free[i+1].addr {
			t.Fatalf("free spans %x and %x are not merged", s.free[i], s.free[i+1])
		}
	}
	slices.SortFunc(all, byAddress)
	var sum, arenas uintptr
	for i, r := range all {
		sum += r.n
		if i > 0 && all[i-1].meets(r) {
			t.Fatalf("%x and %x overlap", all[i-1], r)
		}
	}
	for _, a := range s.arenas {
		arenas += a.n
	}
	if sum != arenas {
		t.Fatalf("%d bytes are accounted for, the arenas have %d", sum, arenas)
	}
}

func TestTake(t *testing.T) {
	s := testSpace(t)
	page := uintptr(pageSize)
	var taken []span
	for _, n := range []uintptr{1, 2, 3, 511, 512, 513, 5000} {
		for _, align := range []uintptr{page, 2 * page, 1 << 20, 2 << 20} {
			got := mustTake(t, s, n*page, align)
			if got.n != n*page || got.addr%align != 0 {
				t.Errorf("take(%d pages, %#x) = %x", n, align, got)
			}
			b := bytesAt(got, 0, int64(got.n))
			if !faults(b, 0) || !faults(b, len(b)-1) {
				t.Errorf("take(%d pages, %#x): accessible", n, align)
			}
			taken = append(taken, got)
			checkSpace(t, s, taken)
		}
	}
}

// TestTakeMoreThanAnArena wants an arena as long as it has to be.
func TestTakeMoreThanAnArena(t *testing.T) {
	s := testSpace(t)
	small := mustTake(t, s, uintptr(pageSize), uintptr(pageSize))
	large := mustTake(t, s, 3*firstArena, 2<<20)
	checkSpace(t, s, []span{small, large})
}

// TestSpaceModel takes, gives back, extends and lets time pass at random.
func TestSpaceModel(t *testing.T) {
	s := testSpace(t)
	rnd := rand.New(rand.NewPCG(49, 1))
	page := uintptr(pageSize)
	var taken []span
	extended := 0
	for range 3000 {
		switch op := rnd.IntN(10); {
		case op < 5 || len(taken) == 0:
			align := page << rnd.IntN(5)
			got := mustTake(t, s, page*uintptr(1+rnd.IntN(20)), align)
			if got.addr%align != 0 {
				t.Fatalf("%x is not aligned to %#x", got, align)
			}
			taken = append(taken, got)
		case op < 8:
			i := rnd.IntN(len(taken))
			mustGiveBack(t, s, taken[i])
			taken = slices.Delete(taken, i, i+1)
		case op < 9:
			i, more := rnd.IntN(len(taken)), page*uintptr(1+rnd.IntN(4))
			if s.extend(taken[i], more) {
				taken[i].n += more
				extended++
			}
		default:
			age(s, rnd.IntN(len(s.waiting())+1))
		}
		checkSpace(t, s, taken)
	}
	if extended == 0 {
		t.Error("nothing was ever extended")
	}
	if is64bit == 1 && len(s.arenas) != 1 {
		t.Errorf("got %d arenas for less than 1 GiB, want 1: address space is not used again", len(s.arenas))
	}
}

// TestQuarantine wants a range that was given back to stay out of use for its
// time, and then the oldest to be free first.
func TestQuarantine(t *testing.T) {
	s := testSpace(t)
	page := uintptr(pageSize)
	var ranges []span
	for range 4 {
		ranges = append(ranges, mustTake(t, s, page, page))
	}
	for _, i := range []int{2, 0, 3, 1} {
		mustGiveBack(t, s, ranges[i])
	}
	for range 100 {
		got := mustTake(t, s, page, page)
		if slices.Contains(ranges, got) {
			t.Fatalf("%x was given out again at once", got)
		}
	}
	for n, i := range []int{2, 0, 3, 1} {
		age(s, 1)
		if got := mustTake(t, s, page, page); got != ranges[i] {
			t.Errorf("the range that was free after %d others: got %x, want %x", n, got, ranges[i])
		}
	}
}

// TestQuarantineTime looks at the clock: a range given back now must wait.
func TestQuarantineTime(t *testing.T) {
	s := testSpace(t)
	page := uintptr(pageSize)
	mustGiveBack(t, s, mustTake(t, s, page, page))
	now := time.Now()
	s.ripen(now.Add(-defaultQuarantine.Time))
	if len(s.waiting()) != 1 {
		t.Fatal("the range is free at once")
	}
	s.ripen(now.Add(time.Second))
	if len(s.waiting()) != 0 {
		t.Error("the range is never free")
	}
}

// TestQuarantineBytes gives back more than is kept.
func TestQuarantineBytes(t *testing.T) {
	s := testSpace(t)
	var ranges []span
	for range 5 {
		r, err := s.take(uintptr(defaultQuarantine.Bytes)/4, uintptr(pageSize))
		if err != nil {
			t.Skip(err) // RLIMIT_AS, or a processor with fewer addresses
		}
		mustGiveBack(t, s, r)
		ranges = append(ranges, r)
	}
	var waiting []span
	mustTake(t, s, uintptr(pageSize), uintptr(pageSize))
	for _, q := range s.waiting() {
		waiting = append(waiting, q.span)
	}
	if want := ranges[1:]; !slices.Equal(waiting, want) {
		t.Errorf("got %x in quarantine, want %x: all but the oldest", waiting, want)
	}
}

// TestQuarantineQueue lets many ranges pass through.
func TestQuarantineQueue(t *testing.T) {
	var q quarantine
	now := time.Now()
	next := uintptr(1)
	for i := range 1000 {
		q.push(span{uintptr(i + 1), 1}, now)
		if i%3 == 0 {
			continue
		}
		if r, ok := q.pop(now.Add(1), 1<<40); !ok || r.addr != next {
			t.Fatalf("got %v, %v; want the range pushed as number %d", r, ok, next)
		}
		next++
	}
	if len(q.ranges) > 1000 {
		t.Errorf("the queue keeps %d ranges", len(q.ranges))
	}
	if _, ok := q.pop(now, 1<<40); ok {
		t.Error("a range was free in the moment it went in")
	}
}

// TestSetQuarantine uses addresses again at once, and keeps them for long.
func TestSetQuarantine(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	old := SetQuarantine(Quarantine{Time: time.Hour, Bytes: 1 << 40})
	defer SetQuarantine(old)
	if old != defaultQuarantine {
		t.Errorf("at first it is %+v", old)
	}
	closeOne := func() (addr uintptr) {
		m := mustMap(t)(Anonymous(pageSize, nil))
		addr = m.now.Load().pages.addr
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		return addr
	}
	before := ReadStats().Quarantined
	addr := closeOne()
	if closeOne() == addr {
		t.Error("an address is used again within the hour")
	}
	if got := ReadStats().Quarantined - before; got != 2*pageSize {
		t.Errorf("%d bytes more wait, want 2 pages", got)
	}
	if got := SetQuarantine(Quarantine{}); got.Time != time.Hour {
		t.Errorf("it was %+v", got)
	}
	closeOne()
	addr = closeOne()
	if got := ReadStats().Quarantined; got != pageSize {
		t.Errorf("%d bytes wait, want the last page alone", got)
	}
	if closeOne() != addr {
		t.Error("the address waits, though nothing should")
	}
}

func TestFreeSpansMerge(t *testing.T) {
	var s space
	for _, r := range []span{{10, 1}, {12, 1}, {14, 1}, {11, 1}, {9, 1}, {15, 5}, {13, 1}} {
		s.addFree(r)
	}
	if want := []span{{9, 11}}; !slices.Equal(s.free, want) {
		t.Errorf("got free spans %v, want %v", s.free, want)
	}
}

func TestReleaseEmpty(t *testing.T) {
	s := testSpace(t)
	page := uintptr(pageSize)
	small := mustTake(t, s, page, page)
	large := mustTake(t, s, 2*firstArena, page)
	if len(s.arenas) != 2 {
		t.Fatalf("got %d arenas, want 2", len(s.arenas))
	}
	kept := s.arenas[0]
	mustGiveBack(t, s, large)
	s.releaseEmpty()
	if len(s.arenas) != 2 {
		t.Error("an arena with a range in quarantine was released")
	}
	s.ripen(time.Now().Add(time.Second))
	s.releaseEmpty()
	if want := []span{kept}; !slices.Equal(s.arenas, want) {
		t.Fatalf("got arenas %x, want %x", s.arenas, want)
	}
	checkSpace(t, s, []span{small})
	if got := mustTake(t, s, page, page); !kept.contains(got) {
		t.Errorf("took %x, want it from %x", got, kept)
	}
}

func TestExtend(t *testing.T) {
	s := testSpace(t)
	page := uintptr(pageSize)
	a, b := mustTake(t, s, page, page), mustTake(t, s, page, page)
	if a.end() != b.addr {
		t.Fatalf("%x and %x are no neighbours", a, b)
	}
	if s.extend(a, page) {
		t.Error("extended over a range in use")
	}
	if s.extend(b, firstArena) {
		t.Error("extended beyond the arena")
	}
	if !s.extend(b, 3*page) {
		t.Error("not extended into free space")
	}
	b.n += 3 * page
	checkSpace(t, s, []span{a, b})
	mustGiveBack(t, s, b)
	if s.extend(a, page) {
		t.Error("extended over a range in quarantine")
	}
}

// TestForeignRanges wants ranges that lie in no arena to be unmapped in the end.
func TestForeignRanges(t *testing.T) {
	s := testSpace(t)
	addr, err := sys.Map(0, uintptr(pageSize), sys.ProtRead, sys.Private|sys.Anonymous, -1, 0)
	if err != nil {
		t.Fatal(err)
	}
	r := span{addr, uintptr(pageSize)}
	mustGiveBack(t, s, r)
	if !faults(bytesAt(r, 0, 1), 0) {
		t.Error("the range is accessible in quarantine")
	}
	s.ripen(time.Now().Add(time.Second))
	if len(s.free) != 0 {
		t.Errorf("%x is free for others", s.free)
	}
	if err := sys.Protect(r.addr, r.n, sys.ProtNone); !errors.Is(err, sys.ENOMEM) {
		t.Errorf("protecting the range: got error %v, want ENOMEM, since nothing is mapped", err)
	}
}
