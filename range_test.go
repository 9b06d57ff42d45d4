package memmap

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

func TestCheckRange(t *testing.T) {
	const huge = math.MaxInt64
	tests := []struct {
		off, n, size int64
		ok           bool
	}{
		{0, 0, 0, true},
		{0, 1, 0, false},
		{1, 0, 0, false},
		{0, 10, 10, true},
		{10, 0, 10, true},
		{10, 1, 10, false},
		{11, 0, 10, false},
		{3, 7, 10, true},
		{3, 8, 10, false},
		{-1, 1, 10, false},
		{0, -1, 10, false},
		{5, -5, 10, false},
		{1, huge, huge, false},
		{huge, huge, huge, false},
		{huge, 0, huge, true},
		{math.MinInt64, math.MinInt64, huge, false},
	}
	for _, tt := range tests {
		err := checkRange(tt.off, tt.n, tt.size)
		if ok := err == nil; ok != tt.ok {
			t.Errorf("checkRange(%d, %d, %d) = %v, want ok %v", tt.off, tt.n, tt.size, err, tt.ok)
		}
		if err != nil && (!errors.Is(err, ErrRange) || !errors.Is(err, sys.EINVAL)) {
			t.Errorf("checkRange(%d, %d, %d) = %v, want ErrRange and EINVAL", tt.off, tt.n, tt.size, err)
		}
	}
}

// FuzzCheckRange compares with numbers that can't overflow.
func FuzzCheckRange(f *testing.F) {
	f.Add(int64(0), int64(0), int64(0))
	f.Add(int64(-1), int64(2), int64(10))
	f.Add(int64(math.MaxInt64), int64(1), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, off, n, size int64) {
		if size < 0 {
			return
		}
		end := new(big.Int).Add(big.NewInt(off), big.NewInt(n))
		want := off >= 0 && n >= 0 && end.Cmp(big.NewInt(size)) <= 0
		if err := checkRange(off, n, size); (err == nil) != want {
			t.Errorf("checkRange(%d, %d, %d) = %v, want ok %v", off, n, size, err, want)
		}
	})
}

func TestCheckFileRange(t *testing.T) {
	const huge = math.MaxInt64
	tests := []struct {
		off, n int64
		want   error
	}{
		{0, 0, nil},
		{1 << 40, 1, nil},
		{-1, 1, ErrRange},
		{0, -1, ErrRange},
		{0, maxLen, nil},
		{0, maxLen + 1, errTooLong},
		{0, huge, errTooLong},
		{huge, 1, errOffsetTooHigh},
		{huge, 0, errOffsetTooHigh},
		{huge - maxLen, maxLen, errOffsetTooHigh},
	}
	for _, tt := range tests {
		if err := checkFileRange(tt.off, tt.n); !errors.Is(err, tt.want) {
			t.Errorf("checkFileRange(%d, %d) = %v, want %v", tt.off, tt.n, err, tt.want)
		}
	}
}

func TestRound(t *testing.T) {
	tests := []struct{ x, unit, down, up int64 }{
		{0, 4096, 0, 0},
		{1, 4096, 0, 4096},
		{4095, 4096, 0, 4096},
		{4096, 4096, 4096, 4096},
		{4097, 4096, 4096, 8192},
		{5, 1, 5, 5},
		{1<<62 - 1, 1 << 30, 1<<62 - 1<<30, 1 << 62},
		{1 << 62, 1 << 30, 1 << 62, 1 << 62},
	}
	for _, tt := range tests {
		if got := roundDown(tt.x, tt.unit); got != tt.down {
			t.Errorf("roundDown(%d, %d) = %d, want %d", tt.x, tt.unit, got, tt.down)
		}
		if got := roundUp(tt.x, tt.unit); got != tt.up {
			t.Errorf("roundUp(%d, %d) = %d, want %d", tt.x, tt.unit, got, tt.up)
		}
	}
}

// FuzzPages compares pageRange and wholePages with looking at every byte, on
// pages of a few bytes.
func FuzzPages(f *testing.F) {
	f.Add(uint8(3), uint8(0), uint8(20), uint8(0), uint8(20))
	f.Add(uint8(3), uint8(5), uint8(20), uint8(3), uint8(8))
	f.Add(uint8(2), uint8(1), uint8(30), uint8(3), uint8(12))
	f.Add(uint8(0), uint8(0), uint8(9), uint8(9), uint8(0))
	f.Fuzz(func(t *testing.T, log2, delta, size, off, n uint8) {
		page := int64(1) << (log2 % 6)
		v := &view{page: page, delta: int64(delta) % page, data: make([]byte, size)}
		if int(off)+int(n) > int(size) {
			return
		}
		wantLo, wantHi, wantWhole := pagesByByte(v, int64(off), int64(n))
		if lo, hi := v.pageRange(int64(off), int64(n)); lo != wantLo || hi != wantHi {
			t.Errorf("pageRange = %d, %d; want %d, %d", lo, hi, wantLo, wantHi)
		}
		lo, hi, err := v.wholePages(int64(off), int64(n))
		if (err == nil) != wantWhole {
			t.Errorf("wholePages: got error %v, want whole pages: %v", err, wantWhole)
		}
		if err == nil && (lo != wantLo || hi != wantHi) {
			t.Errorf("wholePages = %d, %d; want %d, %d", lo, hi, wantLo, wantHi)
		}
	})
}

// pagesByByte returns the pages that hold the bytes [off, off+n) of a mapping, and
// whether they hold no other bytes of it.
func pagesByByte(v *view, off, n int64) (lo, hi int64, whole bool) {
	if n == 0 {
		return 0, 0, true
	}
	pageOf := func(i int64) int64 { return (v.delta + i) / v.page }
	first, last := pageOf(off), pageOf(off+n-1)
	whole = true
	for i := range int64(len(v.data)) {
		if p := pageOf(i); first <= p && p <= last && (i < off || i >= off+n) {
			whole = false
		}
	}
	return first * v.page, (last + 1) * v.page, whole
}
