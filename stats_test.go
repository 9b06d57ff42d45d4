package memmap

import (
	"testing"
)

// TestStats opens, changes and closes, and looks at what has changed.
func TestStats(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	before := ReadStats()
	since := func() Stats {
		now := ReadStats()
		return Stats{
			Mappings: now.Mappings - before.Mappings, Regions: now.Regions - before.Regions, Mapped: now.Mapped - before.Mapped,
			Faults: now.Faults - before.Faults, Waits: now.Waits - before.Waits, Prefaulted: now.Prefaulted - before.Prefaulted,
		}
	}
	want := func(what string, want Stats) {
		t.Helper()
		if got := since(); got != want {
			t.Errorf("%s: got %+v, want %+v", what, got, want)
		}
	}
	f := makeFile(t, pattern(3*pageSize))
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write, NoYield: true}))
	want("open", Stats{Mappings: 1, Mapped: 3 * pageSize})
	twin := mustMap(t)(m.Alias())
	want("alias", Stats{Mappings: 2, Mapped: 6 * pageSize})
	if err := m.Resize(pageSize); err != nil {
		t.Fatal(err)
	}
	want("resize", Stats{Mappings: 2, Mapped: 4 * pageSize})
	r, err := Reserve(8 * pageSize)
	if err != nil {
		t.Fatal(err)
	}
	moved := mustMap(t)(r.Move(0, m))
	want("move", Stats{Mappings: 2, Regions: 1, Mapped: 4 * pageSize})
	mustMap(t)(r.Anonymous(0, 2*pageSize, &AnonConfig{Replace: true}))
	want("replace", Stats{Mappings: 2, Regions: 1, Mapped: 5 * pageSize})
	mustMap(t)(r.MapRange(0, f, 0, 0, nil))
	want("an empty one", Stats{Mappings: 3, Regions: 1, Mapped: 5 * pageSize})
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	want("close", Stats{Mappings: 1, Mapped: 3 * pageSize})
	if err := twin.Prefault(t.Context(), 0, pageSize, Read); err != nil {
		t.Fatal(err)
	}
	want("prefault", Stats{Mappings: 1, Mapped: 3 * pageSize, Prefaulted: pageSize})
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if n, err := twin.ReadAt(make([]byte, 1), 0); err == nil {
		t.Fatalf("read %d bytes that aren't there", n)
	}
	if got := since().Faults; got == 0 {
		t.Error("a fault became an error, and wasn't counted")
	}
	wantError(t, moved.Close(), "close", ErrClosed)
	if now := ReadStats(); now.Reserved == 0 || now.Quarantined == 0 || now.Stuck != 0 {
		t.Errorf("got %+v", now)
	}
}

// TestStatsWaits counts copies that let others run.
func TestStatsWaits(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(64*pageSize)), nil))
	m.now.Load().known.misses.Store(2) // the kernel isn't asked first
	before := ReadStats().Waits
	for range 3 {
		if _, err := Load[byte](m, 5*pageSize); err != nil {
			t.Fatal(err)
		}
	}
	if got := ReadStats().Waits - before; got != 1 {
		t.Errorf("%d waits were counted, want that for the first read", got)
	}
}
