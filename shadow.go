package memmap

import (
	"sync"

	"github.com/memmap-go/memmap/internal/race"
)

// The race detector doesn't watch memory outside Go's heap: two goroutines may
// store to the same mapped bytes, and it says nothing. So in programs built with
// it, guarded copies tell it of the same access to a shadow of the mapping, which
// is in the heap and has a byte for each of the mapping's.

// shadow is the heap memory that stands for a mapping's in the eyes of the race
// detector. It is never read or written, only told of.
//
// Finding it must not order those who look for it: the detector would take their
// accesses for ordered as well. Loads from a sync.Map don't.
type shadow struct {
	chunks sync.Map // of []byte, by their number
}

const shadowChunk = 64 << 10

// newShadow returns a shadow if the race detector is at work, unless it is not
// wanted.
func newShadow(unwanted bool) *shadow {
	if !race.Enabled || unwanted {
		return nil
	}
	return new(shadow)
}

// tell reports an access to n bytes at a page offset.
func (s *shadow) tell(report func([]byte), at int64, n int) {
	for n > 0 {
		part := min(n, shadowChunk-int(at%shadowChunk))
		report(s.chunk(at / shadowChunk)[at%shadowChunk:][:part])
		at, n = at+int64(part), n-part
	}
}

func (s *shadow) chunk(i int64) []byte {
	c, ok := s.chunks.Load(i)
	if !ok {
		c, _ = s.chunks.LoadOrStore(i, make([]byte, shadowChunk))
	}
	return c.([]byte)
}
