//go:build race && linux

package memmap

import (
	"sync/atomic"
	"testing"
)

// TestDeadlyRace has the race detector do an atomic store, in C code of its own,
// to a page that is readable alone. What the process says differs. Whether the
// page can be read is looked at first; so an inaccessible page is no problem.
func TestDeadlyRace(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Open(makePath(t, pattern(pageSize)), nil))
	word, err := Pointer[uint32](m, 0)
	must(t, err)
	wantDeath(t, "fatal error: ", func() {
		err := Guard(func() error { atomic.AddUint32(word, 1); return nil }, m)
		t.Log(err)
	})
	if err := Guard(func() error { *word++; return nil }, m); err == nil {
		t.Error("a plain store got no error")
	}
	bad := makeTruncated(t, FileConfig{Prot: Read | Write})
	word, err = Pointer[uint32](bad, pageSize)
	must(t, err)
	err = Guard(func() error { atomic.AddUint32(word, 1); return nil }, bad)
	wantError(t, err, "guard", ErrFault, ErrTruncated)
}
