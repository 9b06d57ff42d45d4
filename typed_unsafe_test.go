package memmap

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/memmap-go/memmap/internal/sys"
)

// record is a type as programs put it in files: with padding.
type record struct {
	id    uint64
	flag  bool
	pair  [2]struct{ a, b int16 }
	ratio float32
	z     complex128
}

type celsius float64

// checkRoundTrip stores a value at many offsets and loads it again. The bytes
// around it stay.
func checkRoundTrip[T comparable](t *testing.T, m *Mapping, v T) {
	t.Helper()
	size := int64(unsafe.Sizeof(v))
	for _, off := range []int64{0, 1, 3, 8, pageSize - 1, pageSize - size/2, m.Len() - size} {
		before := slices.Clone(m.Bytes())
		if err := Store(m, off, v); err != nil {
			t.Fatal(err)
		}
		got, err := Load[T](m, off)
		if err != nil || got != v {
			t.Errorf("%T at %d: got %v, %v; want %v", v, off, got, err, v)
		}
		after := slices.Clone(m.Bytes())
		copy(after[off:], before[off:off+size])
		wantBytes(t, fmt.Sprintf("around a %T at %d", v, off), after, before)
	}
}

func TestLoadStore(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(3*pageSize))
	m := mustMap(t)(MapRange(f, 5, 2*pageSize+100, &FileConfig{Prot: Read | Write}))
	checkRoundTrip(t, m, true)
	checkRoundTrip(t, m, byte(7))
	checkRoundTrip(t, m, int64(math.MinInt64))
	checkRoundTrip(t, m, uintptr(1<<20+1))
	checkRoundTrip(t, m, celsius(-273.15))
	checkRoundTrip(t, m, [3]uint16{1, 2, 3})
	checkRoundTrip(t, m, record{1, true, [2]struct{ a, b int16 }{{1, 2}, {3, 4}}, 0.5, complex(1, 2)})
	checkRoundTrip(t, m, struct{}{})
	checkRoundTrip(t, m, [0]int{})
	// Load sees what is there in the processor's byte order.
	want := *(*uint32)(unsafe.Pointer(unsafe.SliceData(contents(t, f.Name())[5+40:])))
	if got, err := Load[uint32](m, 40); err != nil || got != want {
		t.Errorf("got %#x, %v; want %#x", got, err, want)
	}
}

func TestTypedBounds(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	name := makePath(t, pattern(100))
	m := mustMap(t)(Open(name, &FileConfig{Prot: Read | Write, MaxLen: pageSize}))
	for _, off := range []int64{-1, 93, 100, 101, math.MaxInt64, math.MinInt64} {
		got, err := Load[uint64](m, off)
		if e := wantError(t, err, "read", ErrRange); got != 0 || e.Off != off || e.Len != 8 {
			t.Errorf("Load at %d: got %d and %+v", off, got, e)
		}
		err = Store(m, off, ^uint64(0))
		if e := wantError(t, err, "write", ErrRange); e.Off != off || e.Len != 8 {
			t.Errorf("Store at %d: got %+v", off, e)
		}
		if p, err := Pointer[[8]byte](m, off); p != nil || !errors.Is(err, ErrRange) {
			t.Errorf("Pointer at %d: got %v, %v; want nil, ErrRange", off, p, err)
		}
	}
	wantBytes(t, "the file", contents(t, name), pattern(100))
	slicesOutside := []struct {
		off int64
		n   int
	}{{0, -1}, {0, 13}, {8, 12}, {100, 1}, {101, 0}, {-8, 1}, {0, math.MaxInt}, {8, math.MaxInt/8 + 1},
		{0, math.MaxInt/4 + 2}, // times 8, that is 8 more than a word holds
		{math.MaxInt64, 0}}
	for _, tt := range slicesOutside {
		s, err := Slice[uint64](m, tt.off, tt.n)
		wantError(t, err, "view", ErrRange)
		if s != nil {
			t.Errorf("Slice at %d of %d: got a slice of %d", tt.off, tt.n, len(s))
		}
	}
}

// TestLoadFault reads a value that lies half beyond the end of its file.
func TestLoadFault(t *testing.T) {
	checkLeaks(t)
	m := makeTruncated(t, FileConfig{Prot: Read | Write})
	got, err := Load[[16]byte](m, pageSize-8)
	if e := wantError(t, err, "read", ErrFault, ErrTruncated); e.Off != pageSize || got != [16]byte{} {
		t.Errorf("got %v and Off %d, want the zero value and %d", got, e.Off, pageSize)
	}
	err = Store(m, pageSize-8, [16]byte{1})
	if e := wantError(t, err, "write", ErrFault, ErrTruncated); e.Off != pageSize {
		t.Errorf("got Off %d, want %d", e.Off, pageSize)
	}
}

func TestSlice(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(100)), &FileConfig{Prot: Read | Write}))
	s, err := Slice[uint32](m, 8, 5)
	if err != nil || len(s) != 5 || cap(s) != 5 {
		t.Fatalf("got length %d, capacity %d, %v; want 5", len(s), cap(s), err)
	}
	s[4] = 0x01010101
	if got := m.Bytes()[24:28]; string(got) != "\x01\x01\x01\x01" {
		t.Errorf("a store through the slice: the mapping has %x", got)
	}
	if s, err := Slice[uint32](m, 3, 0); err != nil || s == nil || len(s) != 0 {
		t.Errorf("empty: got %v, %v; want an empty slice", s, err)
	}
	if s, err := Slice[struct{}](m, 100, 7); err != nil || len(s) != 7 {
		t.Errorf("of nothing: got %v, %v; want 7 of nothing", s, err)
	}
	if p, err := Pointer[struct{}](m, 100); err != nil || p == nil {
		t.Errorf("to nothing: got %v, %v", p, err)
	}
}

func TestPointer(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, make([]byte, 100)), &FileConfig{Prot: Read | Write}))
	counter, err := Pointer[uint64](m, 16)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				atomic.AddUint64(counter, 1)
			}
		})
	}
	wg.Wait()
	if got, err := Load[uint64](m, 16); err != nil || got != 400 {
		t.Errorf("got %d, %v; want 400", got, err)
	}
}

// TestAlignment counts from where the bytes lie in memory, not in the mapping.
func TestAlignment(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(100))
	m := mustMap(t)(MapRange(f, 3, 97, nil))
	for off := range int64(16) {
		aligned := (3+off)%8 == 0
		_, err := Pointer[uint64](m, off)
		if (err == nil) != aligned {
			t.Errorf("at %d: got error %v, want aligned %v", off, err, aligned)
		}
		if err != nil {
			if e := wantError(t, err, "view", sys.EINVAL); !strings.Contains(e.Error(), "uint64 must be aligned to 8") {
				t.Errorf("got error %q, want the type and its alignment in it", e)
			}
		}
		if _, err := Slice[[9]byte](m, off, 2); err != nil {
			t.Errorf("bytes at %d: %v", off, err)
		}
	}
}

// refuses returns what the four functions say of a type.
func refuses[T any](m *Mapping) []error {
	var v T
	_, load := Load[T](m, 0)
	_, pointer := Pointer[T](m, 0)
	_, slice := Slice[T](m, 0, 1)
	return []error{load, Store(m, 0, v), pointer, slice}
}

// TestPointersRefused wants the pointer to be named that hides in a type.
func TestPointersRefused(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	name := makePath(t, pattern(1000))
	m := mustMap(t)(Map(openFile(t, name, os.O_RDWR), &FileConfig{Prot: Read | Write}))
	type inner struct {
		_ [4]int
		_ [2]string
	}
	tests := map[string][]error{
		"it contains *int":                                     refuses[*int](m),
		"it contains string":                                   refuses[string](m),
		"it contains []uint8":                                  refuses[[]byte](m),
		"it contains map[int]int":                              refuses[map[int]int](m),
		"it contains chan int":                                 refuses[chan int](m),
		"it contains func()":                                   refuses[func()](m),
		"it contains interface {}":                             refuses[any](m),
		"it contains error":                                    refuses[struct{ e error }](m),
		"it contains unsafe.Pointer":                           refuses[unsafe.Pointer](m),
		"inner can't lie in mapped memory: it contains string": refuses[inner](m),
		"it contains *uint8":                                   refuses[[3]struct{ x [0]*byte }](m),
		"it contains *string":                                  refuses[struct{ a, b *string }](m),
	}
	for want, errs := range tests {
		for i, err := range append(errs, errs...) { // the second time from memory
			if !errors.Is(err, sys.EINVAL) || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("function %d: got error %v, want %q in it", i, err, want)
			}
		}
	}
	wantBytes(t, "the file", contents(t, name), pattern(1000))
	for _, allowed := range [][]error{refuses[record](m), refuses[[3][2]celsius](m), refuses[uintptr](m)} {
		for _, err := range allowed {
			if err != nil {
				t.Error(err)
			}
		}
	}
}

// TestEveryKind makes sure that a kind of type is either a number, made of others,
// or refused.
func TestEveryKind(t *testing.T) {
	for k := reflect.Bool; k <= reflect.UnsafePointer; k++ {
		number := k <= reflect.Complex128
		if got := isNumber(k); got != number {
			t.Errorf("isNumber(%v) = %v, want %v", k, got, number)
		}
	}
	if isNumber(reflect.Invalid) {
		t.Error("Invalid is a number")
	}
}
