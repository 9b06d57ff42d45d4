//go:build linux

package memmap

import (
	"slices"
	"testing"
)

func TestResident(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(6*pageSize, nil))
	must(t, m.Advise(0, m.Len(), NoHugePage))
	want := func(off, n int64, want ...bool) {
		t.Helper()
		got, err := m.Resident(off, n)
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("Resident(%d, %d): got %v, want %v", off, n, got, want)
		}
	}
	all := m.Len()
	want(0, all, false, false, false, false, false, false)
	m.Bytes()[pageSize] = 1
	m.Bytes()[4*pageSize+100] = 1
	want(0, all, false, true, false, false, true, false)
	must(t, m.Discard(pageSize, pageSize, DropPages))
	want(0, all, false, false, false, false, true, false)
	must(t, m.Prefault(t.Context(), 0, all, Write))
	want(0, all, true, true, true, true, true, true)
	must(t, m.Discard(2*pageSize, pageSize, DropPages))
	must(t, m.Unmap(3*pageSize, pageSize))
	want(0, all, true, true, false, false, true, true)

	// One for each page that holds a byte of the range.
	want(2*pageSize-1, 1, true)
	want(2*pageSize-1, 2, true, false)
	want(2*pageSize, 1, false)
	want(pageSize, 0)
	want(5*pageSize, pageSize, true)
}

// TestResidentFile counts the page cache, in pages of a mapping that begins inside
// of one.
func TestResidentFile(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(4*pageSize))
	m := mustMap(t)(MapRange(f, 100, 6*pageSize-100, nil))
	got, err := m.Resident(0, m.Len())
	must(t, err)
	// Nobody has touched them here, but the file was written just now. Beyond
	// its end nothing can be.
	if want := []bool{true, true, true, true, false, false}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	got, err = m.Resident(pageSize-101, 2)
	must(t, err)
	if len(got) != 2 {
		t.Errorf("two bytes on two pages: got %v", got)
	}
	got, err = m.Resident(pageSize-100, 1)
	must(t, err)
	if len(got) != 1 {
		t.Errorf("the first byte of a page: got %v", got)
	}
}

func TestResidentErrors(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(pageSize, nil))
	_, err := m.Resident(1, pageSize)
	wantError(t, err, "resident", ErrRange)
	must(t, m.Close())
	_, err = m.Resident(0, 0)
	wantError(t, err, "resident", ErrClosed)
}
