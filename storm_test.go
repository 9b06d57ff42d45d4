package memmap

import (
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// stormTime is how long a storm lasts that shall last longer than a moment:
//
//	go test -run Storm -storm 60s .
var stormTime = flag.Duration("storm", 0, "how long each storm lasts; 0 is a moment")

func stormMoment() time.Duration {
	switch {
	case *stormTime > 0:
		return *stormTime
	case testing.Short():
		return 300 * time.Millisecond
	}
	return 1500 * time.Millisecond
}

// storm runs functions again and again, each in a goroutine of its own, for a
// moment. A function that finds a fault reports it to t and goes on.
func storm(t *testing.T, fns ...func(rnd *rand.Rand)) {
	t.Helper()
	end := time.Now().Add(stormMoment())
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
