package memmap

import (
	"errors"
	"io"
	"runtime/debug"

	"github.com/memmap-go/memmap/internal/race"
)

// ReadAt copies from the mapping, as io.ReaderAt does. It is guarded: a fault is
// an error, with the number of bytes that could be read before it.
func (m *Mapping) ReadAt(p []byte, off int64) (int, error) {
	v := m.now.Load()
	if v == nil || uint64(off) > uint64(len(v.data)) {
		return 0, m.outside("read", off, len(p))
	}
	src := v.data[off:]
	n := min(len(p), len(src))
	if race.Enabled && m.shadow != nil {
		m.shadow.tell(race.Read, v.delta+off, n)
	}
	if v.known != nil && !v.known.hasOne(v.delta+off, n) {
		v.load(v.delta+off, n)
	}
	if !v.copyGuarded(p, src) || m.now.Load() != v && !m.shows(v, off, n) {
		return m.copySlowly("read", off, p, reading)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// WriteAt copies into the mapping. It is guarded as ReadAt is. A range that
// doesn't lie in the mapping is an error, and nothing is written: a mapping has
// to grow before it can hold more.
func (m *Mapping) WriteAt(p []byte, off int64) (int, error) {
	v := m.now.Load()
	if v == nil || uint64(off) > uint64(len(v.data)) || len(p) > len(v.data)-int(off) {
		return 0, m.outside("write", off, len(p))
	}
	if len(p) > 0 && len(v.layout) == 0 {
		return 0, m.fail("write", off, int64(len(p)), errNotMapped)
	}
	if race.Enabled && m.shadow != nil {
		m.shadow.tell(race.Write, v.delta+off, len(p))
	}
	if v.known != nil && !v.known.hasOne(v.delta+off, len(p)) {
		v.load(v.delta+off, len(p))
	}
	if !m.copyIn(v, p, off) {
		return m.copySlowly("write", off, p, writing)
	}
	return len(p), nil
}

// outside is the error for a range that a mapping doesn't have.
func (m *Mapping) outside(op string, off int64, n int) error {
	if m.now.Load() == nil {
		return m.fail(op, off, int64(n), ErrClosed)
	}
	if op == "read" && off >= 0 {
		return io.EOF
	}
	return m.fail(op, off, int64(n), ErrRange)
}

// copyGuarded copies, and reports whether that went without a fault in the view's
// pages. Which of the slices lies there doesn't matter.
//
// This is the hot path. What is done only after a fault stands in functions of its
// own; a copy that went well has no panic to recover.
func (v *view) copyGuarded(dst, src []byte) (ok bool) {
	old := debug.SetPanicOnFault(true)
	defer func() {
		if !ok {
			debug.SetPanicOnFault(old)
			v.mustHold(recover())
		}
	}()
	copy(dst, src)
	debug.SetPanicOnFault(old)
	return true
}

// mustHold counts a fault in the view's pages, and lets every other panic go on.
func (v *view) mustHold(panicked any) {
	if addr, isFault := faultAddr(panicked); !isFault || !v.pages.holds(addr) {
		panic(panicked)
	}
	counted.faults.Add(1)
}

// maxTries bounds how often a page is tried that turns out accessible each time
// one looks: someone is truncating and extending the file without pause.
const maxTries = 1000

// copySlowly copies page by page after a fault, up to the first page that can't
// be accessed. A copy touches its last bytes early, so only this says how far
// one can get. It waits out a change in progress (a mapping on the move) and
// starts again on what the change left.
func (m *Mapping) copySlowly(op string, off int64, p []byte, a access) (int, error) {
	done := 0
	for tries := 0; done < len(p); tries++ {
		mu := m.lock()
		v := m.now.Load()
		mu.Unlock()
		at := off + int64(done)
		if v == nil {
			return done, m.fail(op, at, int64(len(p)-done), &fault{ErrClosed})
		}
		if at >= int64(len(v.data)) {
			return done, m.outside(op, at, len(p)-done)
		}
		n := min(len(p)-done, int(v.page-(v.delta+at)%v.page), len(v.data)-int(at))
		if m.copyPage(v, p[done:done+n], at, a) {
			done, tries = done+n, 0
			continue
		}
		err := m.faultError(op, v, v.delta+at, a)
		if !errors.Is(err, ErrAgain) && m.now.Load() == v || tries > maxTries {
			return done, err
		}
	}
	return done, nil
}

// copyPage copies within one page, and reports whether that was possible.
func (m *Mapping) copyPage(v *view, p []byte, at int64, a access) bool {
	if a == reading {
		return v.copyGuarded(p, v.data[at:]) && m.shows(v, at, len(p))
	}
	return m.copyIn(v, p, at)
}

// copyIn copies into a view, and reports whether that was possible. What is closed
// in a Region may be something else's place a moment later: those who close wait
// until nobody is in the gate.
func (m *Mapping) copyIn(v *view, p []byte, off int64) bool {
	if m.gate != nil {
		m.gate.RLock()
		defer m.gate.RUnlock()
		if !m.shows(v, off, len(p)) {
			return false
		}
	}
	return v.copyGuarded(v.data[off:], p)
}

// shows reports whether a view is still what the mapping shows at a range. If
// not, what was read there may have been something else's.
func (m *Mapping) shows(v *view, off int64, n int) bool {
	now := m.now.Load()
	return now == v || now != nil && now.pages.addr == v.pages.addr && int64(n) <= int64(len(now.data))-off
}
