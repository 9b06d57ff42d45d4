package memmap

import (
	"math/bits"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/memmap-go/memmap/internal/sys"
)

// knownPages remembers which pages of a mapped file were seen in memory, a bit a
// page, so that copying access to them needs no system call and no lock.
//
// It may be out of date, since the kernel reclaims pages without a word. Then an
// access waits for the disk in a page fault, as it would without all this; it
// never reads a wrong byte. Therefore a sample is compared with the truth from
// time to time (age), and if a page in it is gone, everything is forgotten.
type knownPages struct {
	pages span
	shift uint                      // base-2 logarithm of the page size
	sees  bool                      // mincore tells us the truth: see sys.SeesResidency
	words []atomic.Pointer[wordsOf] // a chunk is made when its first bit is set

	// What is just known to be new, in bytes of pages: there is nothing on the
	// disk to wait for. See grown.
	newFrom, newTo atomic.Int64

	expected atomic.Int64 // where a sequential reader would miss next
	asked    atomic.Int64 // how far its pages were asked for
	misses   atomic.Uint32
	warm     atomic.Bool // the last pages that were looked for were in memory

	armed atomic.Bool // the timer runs, or its function does

	mu     sync.Mutex
	timer  *time.Timer   // guarded by mu
	period time.Duration // until the next comparison; guarded by mu
	dead   bool          // the pages are no longer here; guarded by mu
}

// wordsOf is a chunk of the bits. One of its words stands for 64 pages.
type wordsOf [wordsPerChunk]atomic.Uint64

const (
	pagesPerWord  = 64
	wordsPerChunk = 512
)

const (
	firstAge = time.Second
	lastAge  = time.Minute
)

// newKnown returns what is known of pages that nobody has looked at: nothing.
func newKnown(pages span, sees bool) *knownPages {
	perChunk := uintptr(wordsPerChunk * pagesPerWord * sys.PageSize)
	k := &knownPages{
		pages:  pages,
		shift:  uint(bits.TrailingZeros(uint(sys.PageSize))),
		sees:   sees,
		words:  make([]atomic.Pointer[wordsOf], (pages.n+perChunk-1)/perChunk),
		period: firstAge,
	}
	k.expected.Store(-1)
	return k
}

// hasOne reports whether the n bytes at a page offset lie in one page, and that is
// known to be in memory. This is what every guarded copy asks first; it is small
// enough for the compiler to inline.
func (k *knownPages) hasOne(at int64, n int) bool {
	page := uint64(at) >> (k.shift & 63)
	if uint64(at+int64(n)-1)>>(k.shift&63) != page {
		return false
	}
	chunk := k.words[page/(pagesPerWord*wordsPerChunk)].Load()
	return chunk != nil && chunk[page/pagesPerWord%wordsPerChunk].Load()>>(page%pagesPerWord)&1 != 0
}

// has reports whether all pages that hold the n bytes at a page offset are known
// to be in memory.
func (k *knownPages) has(at int64, n int) bool {
	first, last := uint64(at)>>k.shift, uint64(at+int64(n)-1)>>k.shift
	for lo := first; lo <= last; lo = (lo/pagesPerWord + 1) * pagesPerWord {
		chunk := k.words[lo/pagesPerWord/wordsPerChunk].Load()
		if chunk == nil {
			return false
		}
		want := wordMask(lo, min(last, lo|(pagesPerWord-1)))
		if chunk[lo/pagesPerWord%wordsPerChunk].Load()&want != want {
			return false
		}
	}
	return true
}

// wordMask is the bits of the pages first to last, which share a word.
func wordMask(first, last uint64) uint64 {
	return (1<<(last-first+1) - 1) << (first % pagesPerWord)
}

// mark notes that the pages in [lo, hi), in bytes of pages, are in memory.
func (k *knownPages) mark(lo, hi int64) {
	if lo >= hi {
		return
	}
	first, last := uint64(lo)>>k.shift, uint64(hi-1)>>k.shift
	for lo := first; lo <= last; lo = (lo/pagesPerWord + 1) * pagesPerWord {
		k.word(lo / pagesPerWord).Or(wordMask(lo, min(last, lo|(pagesPerWord-1))))
	}
	k.arm()
}

// word returns a word, and makes its chunk if there is none yet.
func (k *knownPages) word(i uint64) *atomic.Uint64 {
	p := &k.words[i/wordsPerChunk]
	chunk := p.Load()
	for chunk == nil {
		// Others may make one first, and forget may drop theirs at once.
		fresh := new(wordsOf)
		if p.CompareAndSwap(nil, fresh) {
			chunk = fresh
		} else {
			chunk = p.Load()
		}
	}
	return &chunk[i%wordsPerChunk]
}

// glance asks the kernel whether the pages in [lo, hi) are in memory, and notes
// nothing. It is for the first time: who looks once, at one page, shall not pay
// for more.
func (k *knownPages) glance(lo, hi int64) bool {
	page := int64(1) << k.shift
	var few [pagesPerWord]byte
	n := (hi - lo) / page
	return k.sees && n <= pagesPerWord && sys.Resident(k.pages.addr+uintptr(lo), uintptr(hi-lo), few[:n]) == nil &&
		residentRun(few[:n]) == int(n)
}

// look asks the kernel which of the pages that share words with those in [lo, hi)
// are in memory. It notes them, and reports whether all in [lo, hi) are, and up to
// where those from lo on are.
func (k *knownPages) look(lo, hi int64) (all bool, end int64) {
	if !k.sees {
		return false, lo
	}
	page := int64(1) << k.shift
	from := roundDown(lo, page*pagesPerWord)
	to := min(roundUp(hi, page*pagesPerWord), int64(k.pages.n))
	var few [pagesPerWord]byte
	vec := few[:]
	if n := (to - from) / page; n > pagesPerWord {
		vec = make([]byte, n)
	}
	vec = vec[:(to-from)/page]
	if sys.Resident(k.pages.addr+uintptr(from), uintptr(to-from), vec) != nil {
		return false, lo
	}
	for i := 0; i < len(vec); {
		n := residentRun(vec[i:])
		k.mark(from+int64(i)*page, from+int64(i+n)*page)
		i += n + 1
	}
	end = lo + int64(residentRun(vec[(lo-from)/page:]))*page
	return end >= hi, end
}

// lookAt is look for those who don't care where it ends.
func (k *knownPages) lookAt(lo, hi int64) bool {
	all, _ := k.look(lo, hi)
	return all
}

// residentRun returns how many pages a vector of mincore(2) begins with that are
// in memory.
func residentRun(vec []byte) int {
	for i, b := range vec {
		if b&1 == 0 {
			return i
		}
	}
	return len(vec)
}

// grown notes that the pages in [lo, hi) are new to the file: loading them takes no
// disk.
func (k *knownPages) grown(lo, hi int64) {
	if lo >= hi {
		return // it was long enough
	}
	if lo != k.newTo.Load() {
		k.newFrom.Store(lo)
	}
	k.newTo.Store(hi)
	k.arm()
}

// isNew reports whether the pages were told to grown, some time ago at most.
func (k *knownPages) isNew(lo, hi int64) bool {
	return k.newFrom.Load() <= lo && hi <= k.newTo.Load()
}

// arm sees to it that what is known now will be compared with the truth.
func (k *knownPages) arm() {
	if k.armed.Load() || k.armed.Swap(true) {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.dead {
		k.timer = time.AfterFunc(k.period, k.age)
	}
}

// age compares a sample of what is known with the truth. The longer it stays
// true, the more rarely is it looked at.
func (k *knownPages) age() {
	stale := k.stale()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.newFrom.Store(0)
	k.newTo.Store(0)
	if stale {
		k.forget()
		k.period = firstAge
		k.armed.Store(false)
		return
	}
	k.period = min(2*k.period, lastAge)
	if !k.dead {
		k.timer.Reset(k.period)
	}
}

// sampleSize is how many words are looked at in one comparison, of 64 pages each.
const sampleSize = 64

// stale reports whether a page that is known is gone, as far as a sample tells.
func (k *knownPages) stale() bool {
	if !k.sees {
		return true
	}
	var made []int // chunks
	for i := range k.words {
		if k.words[i].Load() != nil {
			made = append(made, i)
		}
	}
	for range min(sampleSize, len(made)*wordsPerChunk) {
		if k.gone(made[rand.IntN(len(made))], rand.IntN(wordsPerChunk)) {
			return true
		}
	}
	return false
}

// gone reports whether a page is not in memory that is known by the first word with
// such pages from the given one on, in the same chunk.
func (k *knownPages) gone(chunk, from int) bool {
	words := k.words[chunk].Load()
	for i := range words {
		at := (from + i) % len(words)
		set := words[at].Load()
		if set == 0 {
			continue
		}
		first := uint64(chunk*len(words)+at) * pagesPerWord
		first, last := first+uint64(bits.TrailingZeros64(set)), first+uint64(bits.Len64(set))
		vec := make([]byte, last-first)
		err := sys.Resident(k.pages.addr+uintptr(first<<k.shift), uintptr(len(vec))<<k.shift, vec)
		for j, b := range vec {
			known := set>>(uint64(j)+first%pagesPerWord)&1 != 0
			if err != nil || known && b&1 == 0 {
				return true
			}
		}
		return false
	}
	return false
}

// forget makes nothing known.
func (k *knownPages) forget() {
	for i := range k.words {
		k.words[i].Store(nil)
	}
}

// stop ends the comparisons: the pages are no longer here.
func (k *knownPages) stop() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dead = true
	if k.timer != nil {
		k.timer.Stop()
	}
}
