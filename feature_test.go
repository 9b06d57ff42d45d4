package memmap

import (
	"errors"
	"sync"
	"testing"

	"github.com/memmap-go/memmap/internal/race"
	"github.com/memmap-go/memmap/internal/sys"
)

// TestFeature asks twice. Only a conclusive answer is kept.
func TestFeature(t *testing.T) {
	needMappings(t)
	other := errors.New("other")
	tests := []struct {
		answers []error // of the probe, in turn; the last one for good
		missing []bool
		probes  int
	}{
		{[]error{nil}, []bool{false, false}, 1},
		{[]error{sys.EINVAL}, []bool{true, true}, 1},
		{[]error{sys.ENOSYS}, []bool{true, true}, 1},
		{[]error{sys.ENOMEM}, []bool{false, false}, 2},
		{[]error{other, other, sys.EINVAL}, []bool{false, false, true, true}, 3},
		{[]error{sys.ENOMEM, nil}, []bool{false, false, false}, 2},
	}
	for _, tt := range tests {
		probes := 0
		f := feature{what: "it", probe: func(p span) error {
			if p.n != uintptr(2*pageSize) || faults(bytesAt(p, 0, int64(p.n)), int(p.n)-1) {
				t.Errorf("the probe got %x, want two pages", p)
			}
			err := tt.answers[min(probes, len(tt.answers)-1)]
			probes++
			return err
		}}
		for i, want := range tt.missing {
			if got := f.missing(); got != want {
				t.Errorf("%v: missing() = %v the %dth time, want %v", tt.answers, got, i+1, want)
			}
		}
		if probes != tt.probes {
			t.Errorf("%v: %d probes, want %d", tt.answers, probes, tt.probes)
		}
	}
}

func TestFeatureLacking(t *testing.T) {
	needMappings(t)
	there := &feature{what: "it", probe: func(span) error { return nil }}
	gone := &feature{what: "it", probe: func(span) error { return sys.EINVAL }}
	tests := []struct {
		f           *feature
		err         error
		unsupported bool
	}{
		{there, sys.EINVAL, false},
		{gone, sys.EINVAL, true},
		{gone, sys.ENOMEM, false},
		{gone, nil, false},
	}
	for _, tt := range tests {
		got := tt.f.lacking(tt.err)
		if unsupported := errors.Is(got, errors.ErrUnsupported); unsupported != tt.unsupported {
			t.Errorf("lacking(%v) = %v, want unsupported: %v", tt.err, got, tt.unsupported)
		}
		if !tt.unsupported && got != tt.err {
			t.Errorf("lacking(%v) = %v, want it unchanged", tt.err, got)
		}
	}
}

// TestFeaturesHere asks this kernel, from many goroutines. Whatever it says, it
// says it at once.
func TestFeaturesHere(t *testing.T) {
	needLinux(t)
	for _, f := range []*feature{populating, guardPages, droppable, leavingBehind} {
		fresh := &feature{what: f.what, probe: f.probe}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { fresh.missing() })
		}
		wg.Wait()
		if !fresh.known {
			t.Errorf("%s: no conclusive answer", f.what)
		}
	}
}

// withoutPopulate makes the test run as on a kernel without MADV_POPULATE.
func withoutPopulate(t *testing.T) {
	t.Helper()
	real := populating
	populating = &feature{known: true}
	t.Cleanup(func() { populating = real })
}

// TestPopulateByTouching goes through pages of all sorts without MADV_POPULATE.
func TestPopulateByTouching(t *testing.T) {
	needMappings(t)
	if race.Enabled {
		t.Skip("the race detector's atomic operations run on C's stack, where a fault ends the process")
	}
	checkLeaks(t)
	f := makeFile(t, pattern(6*pageSize))
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
	for _, err := range []error{m.Protect(pageSize, pageSize, None), m.Protect(2*pageSize, pageSize, Read), f.Truncate(5*pageSize - 100)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	v := m.now.Load()
	tests := []struct {
		first, n int64 // pages
		write    bool
		want     error
	}{
		{0, 1, false, nil},
		{0, 1, true, nil},
		{1, 1, false, sys.EFAULT},
		{0, 2, false, sys.EFAULT},
		{2, 1, false, nil},
		{2, 1, true, sys.EFAULT},
		{3, 2, true, nil},
		{4, 2, false, sys.EFAULT},
	}
	for _, tt := range tests {
		err := touchPages(v.pages.at(tt.first*pageSize, tt.n*pageSize), tt.write)
		if err != tt.want {
			t.Errorf("touching %d pages from %d on, write %v: got %v, want %v", tt.n, tt.first, tt.write, err, tt.want)
		}
	}
	wantBytes(t, "touched", contents(t, f.Name()), pattern(6 * pageSize)[:5*pageSize-100])
	if !sys.CanMap || populating.missing() {
		return
	}
	// MADV_POPULATE_READ says EINVAL of inaccessible pages: a kernel that
	// doesn't know it says that of all.
	withoutPopulate(t)
	if err := populate(v.pages.at(pageSize, pageSize), false); err != sys.EFAULT {
		t.Errorf("populate by touching: got %v, want EFAULT", err)
	}
}
