package library

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
)

// Loads and stores. The library has many ways to do them; which one is taken depends on the line of the step.

// An access is a load into data, or a store of data.
type access struct {
	*worker
	line  int
	span  span
	data  []byte
	store bool
}

func load(w *worker, s *step) (conformance.Result, error) {
	n := uint64(1)
	if len(s.Args) > 1 {
		n = s.Args[1].Value
	}
	a := access{worker: w, line: s.Line, span: spanOf(s.Args[0].Value, n), data: make([]byte, n)}
	return a.result(conformance.Data(a.data), a.do())
}

func store(w *worker, s *step) (conformance.Result, error) {
	data := s.Args[1].Bytes
	a := access{worker: w, line: s.Line, span: spanOf(s.Args[0].Value, uint64(len(data))), data: data, store: true}
	return a.result(conformance.OK(), a.do())
}

func (a *access) do() error {
	pieces, err := a.pieces(a.span)
	if err != nil {
		return a.noMapping(err)
	}
	if len(pieces) == 1 && pieces[0].live {
		return a.inMapping(pieces[0])
	}
	if r := a.regionAt(a.span.Lo); r != nil && r.span.covers(a.span) {
		return a.inRegion(r)
	}
	return a.tooLate(pieces)
}

// noMapping is for addresses where the case never had a mapping: nothing can be said of them.
func (a *access) noMapping(err error) error {
	var r *refusal
	if errors.As(err, &r) {
		return &refusal{r.reason, a.store}
	}
	return err
}

// inMapping does an access that lies in one mapping.
func (a *access) inMapping(p piece) error {
	off, n := p.off(), int64(len(a.data))
	if err := a.reveal(p.o, off+n); err != nil {
		return err
	}
	ways := []func(m *memmap.Mapping, off int64) error{a.copying, a.raw, a.slice}
	if n == 1 {
		ways = append(ways, a.typed, a.pointer)
	}
	if n == 2 || n == 4 || n == 8 {
		ways = append(ways, a.typed)
	}
	if p.o.region != nil {
		r := p.o.region
		ways = append(ways, func(*memmap.Mapping, int64) error { return a.inRegion(r) })
	}
	err := ways[a.line%len(ways)](p.o.m, off)
	if a.store && errors.Is(err, memmap.ErrTruncated) {
		// Guard doesn't know a load from a store, so it can't say whether protection came first.
		err = a.copying(p.o.m, off)
	}
	return err
}

// copying uses ReadAt or WriteAt.
func (a *access) copying(m *memmap.Mapping, off int64) error {
	if a.store {
		_, err := m.WriteAt(a.data, off)
		return err
	}
	if off+int64(len(a.data)) == m.Len() {
		return a.toEnd(m, off)
	}
	_, err := m.ReadAt(a.data, off)
	return err
}

// toEnd reads up to the end of the mapping, and asks for one byte more, as readers of files do.
func (a *access) toEnd(m *memmap.Mapping, off int64) error {
	more := make([]byte, len(a.data)+1)
	n, err := m.ReadAt(more, off)
	copy(a.data, more)
	if err == nil || err == io.EOF && n != len(a.data) {
		return fmt.Errorf("ReadAt gave %d bytes and %v, want the last %d and io.EOF", n, err, len(a.data))
	}
	if err == io.EOF {
		return nil
	}
	return err
}

// raw uses the bytes themselves, under Guard.
func (a *access) raw(m *memmap.Mapping, off int64) error {
	return memmap.Guard(func() error {
		a.transfer(m.Bytes()[off:])
		return nil
	}, m)
}

// slice uses Slice under Guard.
func (a *access) slice(m *memmap.Mapping, off int64) error {
	b, err := memmap.Slice[byte](m, off, len(a.data))
	if err != nil {
		return err
	}
	return memmap.Guard(func() error { a.transfer(b); return nil }, m)
}

// transfer goes byte by byte, so that all bytes before a fault are done. The builtin copy begins where it likes.
func (a *access) transfer(b []byte) {
	for i := range a.data {
		if a.store {
			b[i] = a.data[i]
		} else {
			a.data[i] = b[i]
		}
	}
}

// pointer uses Pointer under Guard.
func (a *access) pointer(m *memmap.Mapping, off int64) error {
	p, err := memmap.Pointer[byte](m, off)
	if err != nil {
		return err
	}
	return memmap.Guard(func() error {
		if a.store {
			*p = a.data[0]
		} else {
			a.data[0] = *p
		}
		return nil
	}, m)
}

// typed uses Load and Store of a number that has as many bytes.
func (a *access) typed(m *memmap.Mapping, off int64) error {
	switch len(a.data) {
	case 1:
		return number(a, m, off, func(b []byte) byte { return b[0] }, func(b []byte, v byte) { b[0] = v })
	case 2:
		return number(a, m, off, binary.NativeEndian.Uint16, binary.NativeEndian.PutUint16)
	case 4:
		return number(a, m, off, binary.NativeEndian.Uint32, binary.NativeEndian.PutUint32)
	}
	return number(a, m, off, binary.NativeEndian.Uint64, binary.NativeEndian.PutUint64)
}

func number[T any](a *access, m *memmap.Mapping, off int64, get func([]byte) T, put func([]byte, T)) error {
	if a.store {
		return memmap.Store(m, off, get(a.data))
	}
	v, err := memmap.Load[T](m, off)
	put(a.data, v)
	return err
}

// inRegion uses the region's ReadAt and WriteAt, which go from mapping to mapping.
func (a *access) inRegion(r *region) error {
	off := int64(a.span.Lo - r.span.Lo)
	if a.store {
		_, err := r.r.WriteAt(a.data, off)
		return err
	}
	_, err := r.r.ReadAt(a.data, off)
	return err
}

// tooLate uses the slice that was kept when a mapping still had these addresses.
func (a *access) tooLate(pieces []piece) error {
	var ms []*memmap.Mapping
	for _, p := range pieces {
		ms = append(ms, p.o.m)
	}
	for i := len(a.held) - 1; i >= 0; i-- {
		h := a.held[i]
		if h.span.covers(a.span) {
			return memmap.Guard(func() error {
				a.transfer(h.raw[a.span.Lo-h.span.Lo:][:len(a.data)])
				return nil
			}, append(ms, h.o.m)...)
		}
	}
	return a.noMapping(refuse("no slice was ever handed out that has these addresses"))
}

// result is r, or the fault that an error tells of.
func (a *access) result(r conformance.Result, err error) (conformance.Result, error) {
	var refused *refusal
	switch {
	case err == nil:
		return r, nil
	case errors.As(err, &refused):
		return conformance.Result{}, err
	case !errors.Is(err, memmap.ErrFault):
		return conformance.Result{}, fmt.Errorf("an access gave an error that is no fault: %w", err)
	case errors.Is(err, memmap.ErrClosed), errors.Is(err, memmap.ErrMoved), errors.Is(err, memmap.ErrUnmapped):
		return conformance.Fault("SEGV_MAPERR"), nil
	case errors.Is(err, memmap.ErrProtected):
		return a.protected(err)
	case errors.Is(err, memmap.ErrTruncated), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EIO):
		return conformance.Fault("BUS_ADRERR"), nil
	}
	return conformance.Result{}, fmt.Errorf("a fault without a known reason: %w", err)
}

// protected tells guard pages from protection: pages that /proc shows as accessible are guarded, and on the kernel
// there is nothing mapped.
func (a *access) protected(err error) (conformance.Result, error) {
	in := a.span
	var at *memmap.Error
	if o := a.live(in.Lo); errors.As(err, &at) && o != nil && o.span().covers(in) {
		in = spanOf(o.addr+uint64(at.Off), 1)
	}
	lines, err := readMaps()
	if err != nil {
		return conformance.Result{}, err
	}
	for _, l := range lines {
		allowed := l.perms[1] == 'w' || !a.store && l.perms[0] == 'r'
		if l.span.overlaps(in) && !allowed {
			return conformance.Fault("SEGV_ACCERR"), nil
		}
	}
	return conformance.Fault("SEGV_MAPERR"), nil
}

// readTo and writeFrom are pread(2) and pwrite(2) with mapped memory as the buffer: the kernel meets the fault, and
// gives EFAULT.
func readTo(w *worker, s *step) (conformance.Result, error) {
	return w.transfer(s, func(fd int, b []byte, off int64) (int, error) { return syscall.Pread(fd, b, off) })
}

func writeFrom(w *worker, s *step) (conformance.Result, error) {
	return w.transfer(s, func(fd int, b []byte, off int64) (int, error) { return syscall.Pwrite(fd, b, off) })
}

func (w *worker) transfer(s *step, call func(fd int, b []byte, off int64) (int, error)) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err != nil {
		return conformance.Result{}, err
	}
	b, err := w.memory(aboutBuffer(s)[0])
	if err != nil {
		return conformance.Result{}, err
	}
	n := 0
	err = retry(func() (err error) { n, err = call(f.fd(), b, int64(s.Args[1].Value)); return err })
	return result(conformance.Count(uint64(max(n, 0))), err, noReasons)
}

// memory returns the bytes at a range of addresses, as the library hands them out or once did.
func (w *worker) memory(s span) ([]byte, error) {
	if o := w.live(s.Lo); o != nil && o.span().covers(s) {
		if err := w.reveal(o, int64(s.Hi-o.addr)); err != nil {
			return nil, err
		}
		return o.m.Bytes()[s.Lo-o.addr:][:s.len()], nil
	}
	if r := w.regionAt(s.Lo); r != nil && r.span.covers(s) {
		return r.r.Bytes()[s.Lo-r.span.Lo:][:s.len()], nil
	}
	for i := len(w.held) - 1; i >= 0; i-- {
		if h := w.held[i]; h.span.covers(s) {
			return h.raw[s.Lo-h.span.Lo:][:s.len()], nil
		}
	}
	return nil, refuse("no slice was ever handed out that has these addresses")
}
