package memmap

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// storm runs functions again and again, each in a goroutine of its own, for a
// moment. A function that finds a fault reports it to t and goes on.
func storm(t *testing.T, fns ...func(rnd *rand.Rand)) {
	t.Helper()
	moment := 1500 * time.Millisecond
	if testing.Short() {
		moment = 300 * time.Millisecond
	}
	end := time.Now().Add(moment)
	var wg sync.WaitGroup
	for i, fn := range fns {
		rnd := rand.New(rand.NewPCG(49, uint64(i)))
		wg.Go(func() {
			for time.Now().Before(end) && !t.Failed() {
				fn(rnd)
				if rnd.IntN(8) == 0 {
					runtime.Gosched()
				}
			}
		})
	}
	wg.Wait()
}

// collect makes the garbage collector run, and stacks move.
func collect(*rand.Rand) {
	runtime.GC()
	time.Sleep(5 * time.Millisecond)
}

// counts says how often things were seen, so that a storm that proves nothing is
// noticed.
type counts struct {
	good, truncated, closed, again atomic.Int64
}

// count checks an error of guarded access in a storm.
func (c *counts) count(t *testing.T, err error) {
	switch {
	case err == nil || err == io.EOF:
		c.good.Add(1)
	case errors.Is(err, ErrClosed):
		c.closed.Add(1)
	case errors.Is(err, ErrFault) && errors.Is(err, ErrTruncated):
		c.truncated.Add(1)
	case errors.Is(err, ErrFault) && errors.Is(err, ErrAgain):
		c.again.Add(1) // extended before we could look
	default:
		t.Errorf("unexpected error: %v", err)
	}
}

// TestStorm reads and writes while one goroutine truncates and extends the file,
// another closes the mapping and opens it again, and the garbage collector runs.
func TestStorm(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	size := 8 * pageSize
	f := makeFile(t, make([]byte, size))
	var current atomic.Pointer[Mapping]
	open := func() {
		m, err := MapRange(f, 100, size-100, &FileConfig{Prot: Read | Write, NoRaceShadow: true})
		if err != nil {
			t.Error(err)
			return
		}
		current.Store(m)
	}
	open()
	var seen counts
	access := func(do func(m *Mapping, b []byte, off int64) error) func(*rand.Rand) {
		b := make([]byte, size)
		return func(rnd *rand.Rand) {
			off := rnd.Int64N(size - 200)
			n := 1 + rnd.Int64N(size-100-off)
			seen.count(t, do(current.Load(), b[:n], off))
		}
	}
	read := func(m *Mapping, b []byte, off int64) error {
		_, err := m.ReadAt(b, off)
		return err
	}
	write := func(m *Mapping, b []byte, off int64) error {
		_, err := m.WriteAt(b, off)
		return err
	}
	load := func(m *Mapping, _ []byte, off int64) error {
		_, err := Load[[16]byte](m, off)
		return err
	}
	store := func(m *Mapping, _ []byte, off int64) error { return Store(m, off, [3]uint16{1, 2, 3}) }
	guard := func(m *Mapping, b []byte, off int64) error {
		return Guard(func() error {
			if raw := m.Bytes(); raw != nil {
				copy(b, raw[off:])
				raw[off]++
			}
			return nil
		}, m)
	}
	storm(t, access(read), access(read), access(write), access(load), access(store), access(guard), collect,
		func(rnd *rand.Rand) { resizeFile(t, f, rnd.Int64N(size)) },
		func(rnd *rand.Rand) {
			time.Sleep(time.Duration(rnd.IntN(500)) * time.Microsecond)
			old := current.Load()
			open()
			if err := old.Close(); err != nil {
				t.Error(err)
			}
		},
	)
	if err := current.Load().Close(); err != nil {
		t.Error(err)
	}
	t.Logf("%d good, %d truncated, %d closed, %d accessible again",
		seen.good.Load(), seen.truncated.Load(), seen.closed.Load(), seen.again.Load())
	if seen.good.Load() == 0 || seen.truncated.Load() == 0 || seen.closed.Load() == 0 {
		t.Error("the storm has not seen all it should")
	}
}

func resizeFile(t *testing.T, f *os.File, size int64) {
	if err := f.Truncate(size); err != nil {
		t.Error(err)
	}
	time.Sleep(10 * time.Microsecond)
}

// marked is memory that is full of one byte, and slices into it.
type marked struct {
	*Mapping
	raw  []byte
	mark byte
}

func makeMarked(t *testing.T, size int64, mark byte) *marked {
	m, err := Anonymous(size, nil)
	if err != nil {
		t.Error(err)
		return nil
	}
	b := m.Bytes()
	for i := range b {
		b[i] = mark
	}
	return &marked{m, b, mark}
}

// check looks at bytes that were read. They are the mapping's own, or ErrClosed
// ended them.
func (m *marked) check(t *testing.T, b []byte, err error) (closed bool) {
	for _, got := range b {
		if got != m.mark {
			t.Errorf("got byte %d of another mapping, want %d", got, m.mark)
			break
		}
	}
	if err != nil && !errors.Is(err, ErrClosed) {
		t.Errorf("got error %v, want ErrClosed", err)
	}
	return err != nil
}

// TestCloseUnderReaders closes mappings while others read them, and makes new ones
// at once. Slices are read that were kept for too long, too.
func TestCloseUnderReaders(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	size := 16 * pageSize
	var slots [4]atomic.Pointer[marked]
	for i := range slots {
		slots[i].Store(makeMarked(t, size, byte(i)))
	}
	var reads, closed atomic.Int64
	count := func(wasClosed bool) {
		reads.Add(1)
		if wasClosed {
			closed.Add(1)
		}
	}
	copying := func() func(*rand.Rand) {
		b := make([]byte, size)
		return func(rnd *rand.Rand) {
			m := slots[rnd.IntN(len(slots))].Load()
			n, err := m.ReadAt(b[:1+rnd.Int64N(size)], 0)
			if err == io.EOF {
				err = nil
			}
			count(m.check(t, b[:n], err))
		}
	}
	// Keeps slices for a while, and reads whatever is there.
	keeping := func() func(*rand.Rand) {
		var kept [100]*marked
		b := make([]byte, size)
		return func(rnd *rand.Rand) {
			m := slots[rnd.IntN(len(slots))].Load()
			if i := rnd.IntN(len(kept)); kept[i] == nil {
				kept[i] = m
			} else {
				m, kept[i] = kept[i], m
			}
			n := 0
			err := Guard(func() error {
				n = copy(b, m.raw)
				return nil
			}, m.Mapping)
			count(m.check(t, b[:n], err))
		}
	}
	mark := byte(len(slots))
	storm(t, copying(), copying(), keeping(), keeping(), collect, func(rnd *rand.Rand) {
		mark++
		fresh := makeMarked(t, size, mark)
		old := slots[rnd.IntN(len(slots))].Swap(fresh)
		if err := old.Close(); err != nil {
			t.Error(err)
		}
	})
	for i := range slots {
		if err := slots[i].Load().Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d reads, %d of them from closed mappings", reads.Load(), closed.Load())
	if closed.Load() == 0 || closed.Load() == reads.Load() {
		t.Error("want some reads to succeed, and some to find the mapping closed")
	}
}
