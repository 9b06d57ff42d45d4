package memmap

import "sync/atomic"

// Stats is what the package has in use in this process, and what it has done.
// Sizes are in bytes.
type Stats struct {
	Mappings int64 // open mappings
	Regions  int64 // open regions
	Mapped   int64 // address space of open mappings, in whole pages, MaxLen in full

	Reserved    int64 // address space taken from the system for mappings
	Quarantined int64 // that of closed mappings which isn't used again yet
	Stuck       int64 // that which couldn't be made inaccessible properly, at the limit of areas

	Faults     int64 // faults that became errors or were waited out
	Waits      int64 // guarded copies that let others run, since pages weren't known to be in memory
	Prefaulted int64 // what Prefault has loaded
}

// ReadStats returns the numbers of this moment; those of one call need not be of
// the same instant. It may be called at any time. Each call takes the mutex that
// opening and closing take, too.
func ReadStats() Stats {
	s := Stats{
		Mappings: counted.mappings.Load(), Regions: counted.regions.Load(), Mapped: counted.mapped.Load(),
		Faults: counted.faults.Load(), Waits: counted.waits.Load(), Prefaulted: counted.prefaulted.Load(),
	}
	addresses.mu.Lock()
	defer addresses.mu.Unlock()
	for _, a := range addresses.arenas {
		s.Reserved += int64(a.n)
	}
	for _, r := range addresses.stuck {
		s.Stuck += int64(r.n)
	}
	s.Quarantined = int64(addresses.quarantine.bytes)
	return s
}

// counted is what ReadStats reports besides addresses. Like these, it is the
// process's.
var counted struct {
	mappings, regions, mapped, faults, waits, prefaulted atomic.Int64
}

// count takes note of a mapping's way from one view to the next: nil where it is
// not open.
func count(old, now *view) {
	if old == nil {
		counted.mappings.Add(1)
	} else {
		counted.mapped.Add(-int64(old.pages.n))
	}
	if now == nil {
		counted.mappings.Add(-1)
	} else {
		counted.mapped.Add(int64(now.pages.n))
	}
}
