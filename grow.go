package memmap

import (
	"errors"

	"github.com/memmap-go/memmap/internal/sys"
)

// Grow makes the mapping n bytes long, in place, and the file long enough for
// it. Nothing moves and no reader waits: slices handed out stay valid, though
// not longer. The mapping needs MaxLen, or Resize.
//
// Blocks are allocated before the file grows, so that a full disk is an error
// here (ENOSPC), and not a fault at some later store; Sparse opts out. If Grow
// fails, the file has its old size and blocks. Growing one file through several
// mappings at once, of this process or of others, needs a lock between them.
//
// If the file is long enough already, because another process made it so, it is
// not touched: so read-only and private mappings can follow a growing file.
func (m *Mapping) Grow(n int64) error {
	defer m.lock().Unlock()
	v, err := m.mappedView()
	if err == nil {
		err = m.growTo(v, n)
	}
	if err != nil {
		return m.fail("grow", 0, n, err)
	}
	return nil
}

func (m *Mapping) growTo(v *view, n int64) error {
	switch {
	case n < int64(len(v.data)):
		return withHint(ErrRange, "the mapping has %d bytes: Truncate makes it shorter", len(v.data))
	case n > maxLen-v.delta || v.delta+n > int64(v.pages.n):
		return withHint(errNoRoom, "MaxLen reserves room")
	case n == 0:
		return nil
	}
	// The file may be too short even if the mapping isn't: see Resize.
	if m.file != nil {
		old, err := m.growFile(v.fileEnd(v.delta + n))
		if err != nil {
			return err
		}
		if first := v.layout[0]; v.known != nil && v.layout.inOrder() {
			v.known.grown(roundUp(max(0, old-first.fileOff), v.page), roundUp(v.delta+n, v.page))
		}
	}
	next := v.with(v.layout)
	next.data = bytesAt(v.pages, v.delta, n)
	m.publish(next)
	return nil
}

// GrowStep returns by how many bytes the file had better grow at a time, if it will
// grow on and on. On a disk that is 64 MiB: with large steps the kernel can use
// large pages, and page faults are fewer. In memory (tmpfs), where allocating
// takes as long as storing, it is a MiB. A step takes at most an eighth of what
// the file system has left, in whole pages, but one page at least. Memory without
// a file doesn't grow like this (ErrPrivate). Linux only.
func (m *Mapping) GrowStep() (int64, error) {
	defer m.lock().Unlock()
	v, err := m.mappedView()
	if err == nil && m.file == nil {
		err = ErrPrivate
	}
	var free uint64
	if err == nil {
		free, err = sys.FreeBytes(m.fd)
	}
	if err != nil {
		return 0, m.fail("grow step", 0, 0, err)
	}
	step := int64(diskStep)
	if inMemory, err := sys.InMemory(m.fd); err != nil {
		return 0, m.fail("grow step", 0, 0, err)
	} else if inMemory {
		step = memoryStep
	}
	return max(roundDown(int64(min(free/8, uint64(step))), v.page), v.page), nil
}

const (
	diskStep   = 64 << 20
	memoryStep = 1 << 20
)

// fileEnd returns where the file must end for the first n bytes of the pages to be
// in it.
func (v *view) fileEnd(n int64) int64 {
	var end int64
	for _, r := range v.layout.in(0, n) {
		end = max(end, r.fileOff+r.n)
	}
	return end
}

// growFile makes the file at least size bytes long, and returns how long it was.
func (m *Mapping) growFile(size int64) (old int64, err error) {
	info, err := m.file.Stat()
	switch {
	case err != nil:
		return 0, pathCause(err)
	case info.Size() >= size:
		return info.Size(), nil
	case m.flags&sys.Shared == 0:
		return 0, ErrPrivate
	}
	old = info.Size()
	if err := m.checkWritable(old); err != nil {
		return 0, err
	}
	if !m.sparse {
		err = sys.Allocate(m.fd, old, size-old)
		if errors.Is(err, errors.ErrUnsupported) {
			return 0, withHint(err, "the file system can't allocate ahead; Sparse grows without")
		}
	}
	if err == nil {
		err = pathCause(m.file.Truncate(size))
	}
	if err != nil {
		// Some file systems keep the blocks that they had found. Cutting
		// the file to the size it has gives them back.
		return 0, joined(err, pathCause(m.file.Truncate(old)))
	}
	return old, nil
}

// Truncate makes the mapping and the file shorter: n bytes of the mapping remain,
// and what the file has behind them is gone. Raw accesses behind them fault from
// then on. The mapping must be shared, and show the file in its own order.
func (m *Mapping) Truncate(n int64) error {
	defer m.lock().Unlock()
	v, err := m.mappedView()
	if err == nil {
		err = m.truncate(v, n)
	}
	if err != nil {
		return m.fail("truncate", 0, n, err)
	}
	return nil
}

func (m *Mapping) truncate(v *view, n int64) error {
	switch {
	case m.flags&sys.Shared == 0:
		return ErrPrivate
	case n < 0 || n > int64(len(v.data)):
		return ErrRange
	case !v.layout.inOrder():
		return invalid("the mapping shows the file in another order")
	}
	next := v.with(v.layout)
	next.data = bytesAt(v.pages, v.delta, n)
	m.publish(next)
	if err := m.shrinkFile(v.layout[0].fileOff + v.delta + n); err != nil {
		m.publish(v)
		return err
	}
	return nil
}

// shrinkFile makes the file at most size bytes long.
func (m *Mapping) shrinkFile(size int64) error {
	info, err := m.file.Stat()
	if err != nil || info.Size() <= size {
		return pathCause(err)
	}
	if err := m.checkWritable(info.Size()); err != nil {
		return err
	}
	return pathCause(m.file.Truncate(size))
}

// checkWritable reports that the file's size can't be changed through our
// descriptor; the system calls would say EBADF and EINVAL.
func (m *Mapping) checkWritable(size int64) error {
	mode, err := sys.Access(m.fd)
	if err == nil && mode == sys.ReadOnly {
		return withHint(sys.EACCES, "the file has %d bytes, and was opened for reading alone", size)
	}
	return err
}
