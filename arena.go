package memmap

import (
	"bufio"
	"bytes"
	"cmp"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// The address space of mappings.
//
// An address range is in one of four states:
//
//  1. Free: inaccessible memory inside an arena, for the next mapping.
//  2. Mapped: it belongs to a mapping, or to a Region.
//  3. Quarantined: inaccessible, and not given out again yet. A slice that was
//     kept too long faults here, instead of reading what came after.
//  4. Stuck: the kernel, at its limit of areas, refused to replace it, even
//     though the spare area was given up. It is protected instead, and replaced
//     as soon as that works.
//
// take goes from Free to Mapped, giveBack from Mapped to Quarantined (or
// Stuck), ripen from Quarantined to Free.
//
// Every change is one mmap(MAP_FIXED) over memory that is ours. There is never
// a moment in which the range is unmapped and something else of the process
// (the Go heap, a C library) could move in.

// span is a range of addresses, of whole pages.
type span struct{ addr, n uintptr }

func (s span) end() uintptr            { return s.addr + s.n }
func (s span) holds(addr uintptr) bool { return addr-s.addr < s.n }
func (s span) contains(t span) bool    { return s.addr <= t.addr && t.end() <= s.end() }
func (s span) meets(t span) bool       { return s.addr < t.end() && t.addr < s.end() }
func (s span) at(off, n int64) span    { return span{s.addr + uintptr(off), uintptr(n)} }

// home is where a mapping has its address space from.
type home interface {
	// giveBack makes the range inaccessible at once and takes it back. If it
	// fails, the range may still be accessible, but stays out of use.
	giveBack(s span) error

	// extend takes the n bytes behind s as well, if they are free.
	extend(s span, n uintptr) bool

	// vacant reports whether no live mapping is at an address.
	vacant(addr uintptr) bool
}

// Quarantine says for how long the addresses of closed mappings stay unused.
type Quarantine struct {
	// Time is how long a range stays inaccessible at least, if address space
	// is not short. It should be long against any access still in flight.
	Time time.Duration

	// Bytes is how much address space may wait. If it is more, the oldest is
	// used again, whatever its age.
	Bytes int64
}

// SetQuarantine changes the bounds of the quarantine in this process, and returns
// what they were. At the start they are 5 seconds, and 16 TiB (32 MiB on 32-bit
// systems).
func SetQuarantine(q Quarantine) (old Quarantine) {
	addresses.mu.Lock()
	defer addresses.mu.Unlock()
	old, addresses.bounds = addresses.bounds, q
	return old
}

// defaultQuarantine is what nobody has changed.
var defaultQuarantine = Quarantine{Time: 5 * time.Second, Bytes: 1 << (25 + 19*is64bit)}

const (
	// Sizes where addresses are plenty, and on 32-bit systems.
	firstArena   uintptr = 1 << (24 + 6*is64bit)  // 1 GiB, 16 MiB
	largestArena uintptr = 1 << (26 + 10*is64bit) // 64 GiB, 64 MiB

	is64bit = ^uintptr(0) >> 63
)

// space gives out address space from arenas: large inaccessible reservations.
type space struct {
	mu         sync.Mutex
	arenas     []span     // reserved ranges, without their margins; never given back while in use; guarded by mu
	free       []span     // ordered by address, neighbours merged; guarded by mu
	quarantine quarantine // guarded by mu
	bounds     Quarantine // guarded by mu
	stuck      []span     // guarded by mu
	stacks     []span     // of GrowsDown memory, with the gaps that it may grow into; guarded by mu
}

// addresses is the address space of this process. There is only one.
var addresses = newSpace()

func newSpace() *space { return &space{bounds: defaultQuarantine} }

// take returns n bytes of inaccessible memory, at a multiple of align.
func (s *space) take(n, align uintptr) (span, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retryStuck()
	s.ripen(time.Now().Add(-s.bounds.Time))
	if got, ok := s.fit(n, align); ok {
		return got, nil
	}
	err := s.reserve(n + align - uintptr(sys.PageSize))
	if err != nil {
		// Address space is short: what is in quarantine must do.
		s.ripen(time.Now())
		if got, ok := s.fit(n, align); ok {
			return got, nil
		}
		s.releaseEmpty()
		err = s.reserve(n + align - uintptr(sys.PageSize))
	}
	if err != nil {
		return span{}, err
	}
	got, _ := s.fit(n, align)
	return got, nil
}

// fit cuts n bytes out of the first free span that has room for them.
func (s *space) fit(n, align uintptr) (span, bool) {
	for i, f := range s.free {
		addr := (f.addr + align - 1) &^ (align - 1)
		if addr < f.addr || addr-f.addr > f.n || f.n-(addr-f.addr) < n {
			continue
		}
		got := span{addr, n}
		s.free = slices.Replace(s.free, i, i+1, rest(f, got)...)
		return got, true
	}
	return span{}, false
}

// rest returns what remains of f when got is cut out of it.
func rest(f, got span) []span {
	var left []span
	if got.addr > f.addr {
		left = append(left, span{f.addr, got.addr - f.addr})
	}
	if got.end() < f.end() {
		left = append(left, span{got.end(), f.end() - got.end()})
	}
	return left
}

// reserve adds an arena with room for n bytes. Where address space is limited
// (RLIMIT_AS, 32-bit systems) it is as small as it must be.
func (s *space) reserve(n uintptr) error {
	size := max(n, min(firstArena<<min(len(s.arenas), 6), largestArena))
	for {
		addr, err := sys.Map(0, size+2*margin, sys.ProtNone, inaccessible, -1, 0)
		if err == nil {
			arena := span{addr + margin, size}
			s.arenas = append(s.arenas, arena)
			s.addFree(arena)
			spare.keep()
			return nil
		}
		if size == n {
			return err
		}
		size = max(n, size/4)
	}
}

// margin is left inaccessible on both sides of an arena. Without it the first
// mapping could become one area with what the Go runtime has next to it, and
// share its fate: its charges, its flags, its limits.
var margin = uintptr(sys.PageSize)

// inaccessible are the flags of memory that nobody can touch and that costs
// nothing: no page frames, no commit charge.
const inaccessible = sys.Private | sys.Anonymous | sys.NoReserve

// addFree adds a span to the free ones, merged with its neighbours.
func (s *space) addFree(f span) {
	i, _ := slices.BinarySearchFunc(s.free, f, func(a, b span) int { return cmp.Compare(a.addr, b.addr) })
	if i < len(s.free) && f.end() == s.free[i].addr {
		f.n += s.free[i].n
		s.free = slices.Delete(s.free, i, i+1)
	}
	if i > 0 && s.free[i-1].end() == f.addr {
		s.free[i-1].n += f.n
		return
	}
	s.free = slices.Insert(s.free, i, f)
}

// giveBack makes a range inaccessible and puts it in quarantine.
func (s *space) giveBack(r span) error {
	if r.n == 0 {
		return nil
	}
	err := makeInaccessible(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stacks = slices.DeleteFunc(s.stacks, func(stack span) bool { return stack == r })
	if err != nil {
		err = disarm(r, err)
		s.stuck = append(s.stuck, r)
		return err
	}
	s.retryStuck()
	s.quarantine.push(r, time.Now())
	return nil
}

// makeInaccessible replaces whatever is mapped in a range, in one step.
func makeInaccessible(r span) error {
	replace := func() error {
		_, err := sys.Map(r.addr, r.n, sys.ProtNone, inaccessible|sys.Fixed, -1, 0)
		return err
	}
	err := replace()
	if err == sys.ENOMEM {
		err = spare.spend(replace)
	}
	return err
}

// disarm is plan B for a range that can't be replaced because the process is at
// its limit of areas: protecting whole areas needs no area more. A range in the
// middle of an area (neighbours that are alike are one) can't be protected
// either, but filled with guard pages. The pages go too, if they may.
func disarm(r span, cause error) error {
	err := sys.Protect(r.addr, r.n, sys.ProtNone)
	if err == sys.ENOMEM && sys.Advise(r.addr, r.n, sys.AdviseGuardInstall) == nil {
		return nil
	}
	if err != nil {
		return explain(cause, int64(r.n))
	}
	// Locked pages and old kernels refuse; the memory is then given back
	// when the range is replaced.
	_ = sys.Advise(r.addr, r.n, sys.AdviseDontNeed)
	return nil
}

// retryStuck replaces the ranges that could only be protected, as far as that
// works now. The one that doesn't is the last to be tried next time.
func (s *space) retryStuck() {
	for len(s.stuck) > 0 {
		r := s.stuck[0]
		s.stuck = s.stuck[1:]
		if makeInaccessible(r) != nil {
			s.stuck = append(s.stuck, r)
			return
		}
		s.quarantine.push(r, time.Now())
		spare.keep()
	}
}

// ripen frees the ranges that went into quarantine before a time, and the
// oldest ones of too many.
func (s *space) ripen(before time.Time) {
	for {
		r, ok := s.quarantine.pop(before, s.bounds.Bytes)
		switch {
		case !ok:
			return
		case s.owns(r):
			s.addFree(r)
		case sys.Unmap(r.addr, r.n) != nil:
			s.stuck = append(s.stuck, r)
		}
	}
}

// quarantine is a queue of inaccessible ranges that wait to be free.
type quarantine struct {
	ranges []quarantined // oldest first, from head on
	head   int
	bytes  uintptr // of all that wait
}

type quarantined struct {
	span
	since time.Time
}

func (q *quarantine) push(r span, now time.Time) {
	q.ranges = append(q.ranges, quarantined{r, now})
	q.bytes += r.n
}

// pop takes the oldest range, if it went in before a time or if more than that many
// bytes wait.
func (q *quarantine) pop(before time.Time, most int64) (span, bool) {
	if q.head == len(q.ranges) {
		return span{}, false
	}
	r := q.ranges[q.head]
	if !r.since.Before(before) && int64(q.bytes) <= most {
		return span{}, false
	}
	q.head++
	q.bytes -= r.n
	if q.head > len(q.ranges)/2 {
		// Each range is copied once on average.
		q.ranges = slices.Delete(q.ranges, 0, q.head)
		q.head = 0
	}
	return r.span, true
}

func (q *quarantine) holds(addr uintptr) bool {
	return slices.ContainsFunc(q.ranges[q.head:], func(r quarantined) bool { return r.span.holds(addr) })
}

// owns reports whether a range lies in an arena. Others were placed by the user
// or the kernel (Addr, Low32, GrowsDown): those are unmapped in the end.
func (s *space) owns(r span) bool {
	return slices.ContainsFunc(s.arenas, func(a span) bool { return a.holds(r.addr) })
}

// releaseEmpty unmaps the arenas that are free from end to end.
func (s *space) releaseEmpty() {
	s.arenas = slices.DeleteFunc(s.arenas, func(a span) bool {
		i := slices.IndexFunc(s.free, func(f span) bool { return f.holds(a.addr) && f.end() >= a.end() })
		if i < 0 || sys.Unmap(a.addr-margin, a.n+2*margin) != nil {
			return false
		}
		s.free = slices.Replace(s.free, i, i+1, rest(s.free[i], a)...)
		return true
	})
}

func (s *space) extend(r span, n uintptr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.free, func(f span) bool { return f.addr == r.end() && f.n >= n })
	if i < 0 {
		return false
	}
	s.free = slices.Replace(s.free, i, i+1, rest(s.free[i], span{r.end(), n})...)
	return true
}

func (s *space) vacant(addr uintptr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	holds := func(r span) bool { return r.holds(addr) }
	return slices.ContainsFunc(s.free, holds) || slices.ContainsFunc(s.stuck, holds) || s.quarantine.holds(addr)
}

// takeAt returns inaccessible memory at a given address, if nothing is there.
func (s *space) takeAt(addr, n uintptr) (span, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ripen(time.Now().Add(-s.bounds.Time))
	if slices.ContainsFunc(s.stacks, func(r span) bool { return r.meets(span{addr, n}) }) {
		return span{}, ErrInUse
	}
	got, err := sys.Map(addr, n, sys.ProtNone, inaccessible|sys.FixedNoReplace, -1, 0)
	switch {
	case err == sys.EEXIST:
		return span{}, ErrInUse
	case err != nil:
		return span{}, err
	case got != addr:
		// Kernels before 4.17 take the address as a hint.
		if err := sys.Unmap(got, n); err != nil {
			return span{}, err
		}
		return span{}, unsupported("MAP_FIXED_NOREPLACE needs Linux 4.17")
	}
	return span{addr, n}, nil
}

// retake makes sure that a range of ours is still that, after a mremap(2) onto it has
// failed: it unmaps what is there before it looks at limits and the commit charge
// (mremap_to in mm/mremap.c). If the range is still mapped, this does nothing but
// say so.
func retake(r span) error {
	_, err := sys.Map(r.addr, r.n, sys.ProtNone, inaccessible|sys.FixedNoReplace, -1, 0)
	return err
}

// regain takes a range back that was free, and that an mmap(MAP_FIXED) has failed to
// map. It may have unmapped it before: the file's own mmap operation may refuse that
// late, and before Linux 6.12 the commit limit did. Then something else, the Go
// heap, may be there by now, and the range must not be touched any more: it is
// lost to us.
func (s *space) regain(r span) {
	if retake(r) != nil && !isInaccessible(r) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quarantine.push(r, time.Now())
}

// isInaccessible reports whether all of a range is memory that nobody can touch and
// that belongs to no file, as in an arena.
func isInaccessible(r span) bool {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return false
	}
	defer f.Close()
	limitBuffer.mu.Lock()
	defer limitBuffer.mu.Unlock()
	lines := bufio.NewScanner(f)
	lines.Buffer(limitBuffer.bytes[:], 0)
	for at := r.addr; lines.Scan(); {
		area, rest, _ := bytes.Cut(lines.Bytes(), []byte("-"))
		end, what, _ := bytes.Cut(rest, []byte(" "))
		lo, hi := parseHex(area), parseHex(end)
		if hi <= at {
			continue
		}
		if lo > at || !bytes.HasPrefix(what, []byte("---p 00000000 00:00 0")) {
			return false
		}
		if at = hi; at >= r.end() {
			return true
		}
	}
	return false
}

func parseHex(digits []byte) (n uintptr) {
	for _, d := range digits {
		if d >= 'a' {
			d -= 'a' - 10 - '0'
		}
		n = n<<4 | uintptr(d-'0')
	}
	return n
}

// takeLow returns inaccessible memory in the first 2 GiB.
func takeLow(n uintptr) (span, error) {
	addr, err := sys.Map(0, n, sys.ProtNone, inaccessible|sys.Low32, -1, 0)
	if err == sys.ENOMEM {
		// Such addresses are few. What is in quarantine there must do.
		addresses.mu.Lock()
		addresses.ripen(time.Now())
		addresses.mu.Unlock()
		addr, err = sys.Map(0, n, sys.ProtNone, inaccessible|sys.Low32, -1, 0)
	}
	return span{addr, n}, err
}
