package library

import (
	"context"
	"errors"
	"syscall"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
)

// The steps about ranges of addresses: munmap, mprotect, msync, madvise, mincore, mlock and remap_file_pages.

// A rangeStep is such a step: which addresses it is about, and whose they are.
type rangeStep struct {
	*worker
	*step
	pieces []piece
}

// lengths says what becomes of the length of a rangeStep.
type lengths bool

const (
	wholePages lengths = true  // the kernel rounds it up, the library wants whole pages
	anyLength  lengths = false // the library rounds like the kernel does
)

// onRange looks up whose the addresses are.
func (w *worker) onRange(s *step, l lengths) (*rangeStep, error) {
	addr, n := s.Args[0].Value, s.Args[1].Value
	if addr+n < addr || roundUp(addr+n, w.page) < addr {
		return nil, refuse("a range of the library ends where its mapping ends")
	}
	if l == wholePages {
		n = roundUp(n, w.page)
	}
	pieces, err := w.pieces(spanOf(addr, max(n, 1)))
	if err != nil {
		return nil, err
	}
	if n == 0 {
		pieces[0].span.Hi = pieces[0].span.Lo
	}
	return &rangeStep{w, s, pieces[:max(1, len(pieces))]}, nil
}

// aligned reports whether the range begins at a page.
func (r *rangeStep) aligned() bool { return r.Args[0].Value%r.page == 0 }

// needAligned refuses ranges that begin inside a page, for operations where the library takes any.
func (r *rangeStep) needAligned() error {
	if r.aligned() {
		return nil
	}
	return refuse("a range may begin at any byte by design")
}

// An onPiece does a step with the bytes [off, off+n) of one object.
type onPiece func(o *object, off, n int64) error

// each does the step with one piece after the other, and stops at the first error. That is how mprotect and mlock
// go from area to area.
func (r *rangeStep) each(do onPiece) error {
	for _, p := range r.pieces {
		if err := r.one(p, do); err != nil {
			return err
		}
	}
	return nil
}

// eachPastHoles does the step with all pieces, and reports in the end where nothing was mapped. That is how msync and
// madvise go from area to area.
func (r *rangeStep) eachPastHoles(do onPiece) error {
	var missing error
	for _, p := range r.pieces {
		err := r.one(p, do)
		if errors.Is(err, memmap.ErrUnmapped) || errors.Is(err, memmap.ErrClosed) {
			missing = err
		} else if err != nil {
			return err
		}
	}
	return missing
}

func (r *rangeStep) one(p piece, do onPiece) error {
	off, n := p.off(), int64(p.span.len())
	if p.live {
		if err := r.reveal(p.o, off+n); err != nil {
			return err
		}
		n = min(n, p.o.m.Len()-off)
		p.o.filler = p.o.filler && n == 0
	}
	return do(p.o, off, n)
}

// cutAtHoles makes pieces of their own of the holes in mappings. The library does all of such a range or nothing, the
// kernel does it area by area: so it gets what lies between the holes, and the holes, one after the other.
func (r *rangeStep) cutAtHoles() error {
	var cut []piece
	for _, p := range r.pieces {
		if !p.live || !p.o.holed {
			cut = append(cut, p)
			continue
		}
		list, err := r.shape(p.span)
		if err != nil {
			return err
		}
		at := p.span.Lo
		for _, run := range mergeHoles(list) {
			cut = append(cut, piece{p.o, spanOf(at, run.Len), true})
			at += run.Len
		}
	}
	r.pieces = cut
	return nil
}

// mergeHoles makes one of neighbours that are no holes.
func mergeHoles(list []conformance.Area) []conformance.Area {
	var out []conformance.Area
	for _, a := range list {
		if i := len(out) - 1; i >= 0 && (out[i].Perms == "") == (a.Perms == "") {
			out[i].Len += a.Len
			continue
		}
		out = append(out, a)
	}
	return out
}

func munmap(w *worker, s *step) (conformance.Result, error) {
	if s.Args[1].Value == 0 {
		return conformance.Result{}, refuse("unmapping no bytes is nothing to do for the library")
	}
	r, err := w.onRange(s, wholePages)
	if err != nil {
		return conformance.Result{}, err
	}
	if !r.aligned() && !r.pieces[0].live {
		return conformance.Result{}, refuse("a range may begin at any byte by design")
	}
	return done(r.unmap(), noReasons)
}

func (r *rangeStep) unmap() error {
	target := span{r.pieces[0].span.Lo, r.pieces[len(r.pieces)-1].span.Hi}
	if reg := r.regionAt(target.Lo); reg != nil && target.covers(reg.span) && r.Line >= reg.lastPlaced {
		if err := r.closeRegion(reg); err != nil {
			return err
		}
		if target == reg.span {
			return nil
		}
	}
	some := false
	for _, p := range r.pieces {
		if !p.live || p.o.closed {
			continue
		}
		some = true
		if err := r.unmapPiece(p, target); err != nil {
			return err
		}
	}
	if !some {
		return refuse("closing again is ErrClosed by design, where munmap has nothing to do")
	}
	return nil
}

func (r *rangeStep) unmapPiece(p piece, target span) error {
	switch {
	case p.whole():
		return r.close(p.o)
	case p.o.filler && p.o.region != nil && r.aligned():
		_, err := r.clear(p.o.region, target, true)
		return err
	}
	return r.one(p, func(o *object, off, n int64) error {
		err := o.m.Unmap(off, n)
		o.holed = o.holed || err == nil
		return err
	})
}

func mprotect(w *worker, s *step) (conformance.Result, error) {
	protection, err := prot(s.Args[2].Flags)
	if err != nil {
		return conformance.Result{}, err
	}
	r, err := w.onRange(s, wholePages)
	if err != nil {
		return conformance.Result{}, err
	}
	if !r.pieces[0].live {
		if err := r.needAligned(); err != nil {
			return conformance.Result{}, err
		}
	}
	if err := r.cutAtHoles(); err != nil {
		return conformance.Result{}, err
	}
	return done(r.each(func(o *object, off, n int64) error {
		return o.m.Protect(off, n, protection)
	}), forRange)
}

func msync(w *worker, s *step) (conformance.Result, error) {
	level, err := syncLevel(s.Args[2].Flags)
	if err != nil {
		return conformance.Result{}, err
	}
	r, err := w.onRange(s, anyLength)
	if err == nil {
		err = r.needAligned()
	}
	if err != nil {
		return conformance.Result{}, err
	}
	for _, p := range r.pieces {
		if p.live && !p.o.shared {
			return conformance.Result{}, refuse("a private mapping is ErrPrivate by design, where msync has nothing to do")
		}
	}
	w.started = w.started || level&^memmap.SyncInvalidate == memmap.SyncStarted
	return done(r.eachPastHoles(func(o *object, off, n int64) error {
		if level == memmap.SyncWritten && off == 0 && n == o.m.Len() && s.Line%2 == 0 {
			return o.m.Sync()
		}
		return o.m.SyncRange(off, n, level)
	}), forRange)
}

// syncLevel translates the flags of msync. MS_INVALIDATE alone waits for nothing, as MS_ASYNC does.
func syncLevel(f conformance.Flags) (memmap.SyncLevel, error) {
	level := memmap.SyncStarted
	if f.Has("sync") {
		level = memmap.SyncWritten
	}
	if f.Has("invalidate") {
		level |= memmap.SyncInvalidate
	}
	if f.Bits != 0 || len(f.Names) == 0 || f.Has("sync") && f.Has("async") {
		return 0, refuse("SyncRange has one of several levels, not a set of flags")
	}
	return level, nil
}

func mincore(w *worker, s *step) (conformance.Result, error) {
	r, err := w.onRange(s, anyLength)
	if err == nil {
		err = r.needAligned()
	}
	if err != nil {
		return conformance.Result{}, err
	}
	pages := ""
	err = r.each(func(o *object, off, n int64) error {
		if o.holed && n > 0 {
			return refuse("Resident takes a hole for pages that are not resident, by design")
		}
		resident, err := o.m.Resident(off, n)
		pages += pageString(resident)
		return err
	})
	return result(conformance.Pages(pages), err, forRange)
}

func mlock(w *worker, s *step) (conformance.Result, error) {
	return w.lock(s, func(o *object, off, n int64) error { return o.m.Lock(off, n, memmap.LockNow) })
}

func mlock2(w *worker, s *step) (conformance.Result, error) {
	if f := s.Args[2].Flags; f.Bits != 0 {
		return conformance.Result{}, refuse("Lock has one of two modes, not a set of flags")
	} else if !f.Has("onfault") {
		return mlock(w, s)
	}
	return w.lock(s, func(o *object, off, n int64) error { return o.m.Lock(off, n, memmap.LockOnFault) })
}

func munlock(w *worker, s *step) (conformance.Result, error) {
	return w.lock(s, func(o *object, off, n int64) error { return o.m.Unlock(off, n) })
}

// lock does a step of the mlock family, area by area as the kernel does.
func (w *worker) lock(s *step, do onPiece) (conformance.Result, error) {
	r, err := w.onRange(s, anyLength)
	if err == nil {
		err = r.cutAtHoles()
	}
	if err != nil {
		return conformance.Result{}, err
	}
	return done(r.each(do), forRange)
}

// mlockAll says that the library locks mapping by mapping. What there is is locked then, or not, and what comes too.
func mlockAll(w *worker, s *step) (conformance.Result, error) {
	w.frozen = "mlockall decides on what is mapped from then on, and the library has nothing like it"
	for _, o := range w.objects {
		if !o.closed {
			w.unknown = append(w.unknown, o.span())
		}
	}
	return conformance.Result{}, refuse("%s", w.frozen)
}

// munlockAll unlocks one mapping after the other.
func munlockAll(w *worker, s *step) (conformance.Result, error) {
	if w.frozen != "" {
		return conformance.Result{}, refuse("%s", w.frozen)
	}
	for _, o := range w.objects {
		if o.closed {
			continue
		}
		if err := o.m.Unlock(0, o.m.Len()); err != nil && !errors.Is(err, memmap.ErrUnmapped) {
			return done(err, forRange)
		}
	}
	return conformance.OK(), nil
}

// mseal says that the library seals files, not addresses.
func mseal(w *worker, s *step) (conformance.Result, error) {
	return conformance.Result{}, diverge("the library has nothing like mseal")
}

func remapFilePages(w *worker, s *step) (conformance.Result, error) {
	addr, n := roundDown(s.Args[0].Value, w.page), roundDown(s.Args[1].Value, w.page)
	f := s.Args[2].Flags
	if n == 0 || f.Bits != 0 || len(f.Names) != 0 {
		return conformance.Result{}, refuse("RemapPages has no protection, and nothing to do for no pages")
	}
	pieces, err := w.pieces(spanOf(addr, n))
	if err != nil {
		return conformance.Result{}, err
	}
	if len(pieces) != 1 || pieces[0].live && pieces[0].o.shared && pieces[0].o.readOnly {
		return conformance.Result{}, refuse("RemapPages is for one mapping, and works on read-only ones too")
	}
	r := &rangeStep{w, s, pieces}
	return done(r.each(func(o *object, off, n int64) error {
		o.remapped = true
		return o.m.RemapPages(off, n, int64(s.Args[3].Value*w.page))
	}), forRemapPages)
}

// advices are the pieces of advice that change no contents.
var advices = map[string]memmap.Advice{
	"normal": memmap.Normal, "random": memmap.Random, "sequential": memmap.Sequential, "willneed": memmap.WillNeed,
	"cold": memmap.Cold, "pageout": memmap.PageOut, "hugepage": memmap.HugePage, "nohugepage": memmap.NoHugePage,
	"collapse": memmap.Collapse, "mergeable": memmap.Mergeable, "unmergeable": memmap.Unmergeable,
	"dontdump": memmap.DontDump, "dodump": memmap.DoDump, "dontfork": memmap.DontFork, "dofork": memmap.DoFork,
}

// discards are those that throw pages away.
var discards = map[string]memmap.Discarding{
	"dontneed": memmap.DropPages, "free": memmap.DropLazily, "remove": memmap.PunchHole,
}

func madvise(w *worker, s *step) (conformance.Result, error) {
	f := s.Args[2].Flags
	if f.Bits != 0 || len(f.Names) != 1 {
		return conformance.Result{}, refuse("advice has a name in the library")
	}
	name := f.Names[0]
	if advice, ok := advices[name]; ok {
		return w.advise(s, anyLength, func(o *object, off, n int64) error { return o.m.Advise(off, n, advice) })
	}
	if how, ok := discards[name]; ok {
		return w.advise(s, wholePages, func(o *object, off, n int64) error { return o.m.Discard(off, n, how) })
	}
	switch name {
	case "guard_install":
		return w.advise(s, wholePages, func(o *object, off, n int64) error { return o.m.InstallGuard(off, n) })
	case "guard_remove":
		return w.advise(s, wholePages, func(o *object, off, n int64) error { return o.m.RemoveGuard(off, n) })
	case "populate_read":
		return w.prefault(s, memmap.Read)
	case "populate_write":
		return w.prefault(s, memmap.Write)
	case "dontneed_locked":
		return conformance.Result{}, diverge("Discard never drops locked pages")
	}
	return conformance.Result{}, refuse("the library has no advice %s", name)
}

// advise goes from area to area as madvise does. What the library does with all of a range or with nothing of it is
// done between the holes.
func (w *worker) advise(s *step, l lengths, do onPiece) (conformance.Result, error) {
	r, err := w.onRange(s, l)
	if err != nil {
		return conformance.Result{}, err
	}
	if l == anyLength || !r.pieces[0].live {
		err = r.needAligned()
	}
	if err == nil && l == wholePages {
		err = r.cutAtHoles()
	}
	if err != nil {
		return conformance.Result{}, err
	}
	return done(r.eachPastHoles(do), forRange)
}

func (w *worker) prefault(s *step, access memmap.Prot) (conformance.Result, error) {
	r, err := w.onRange(s, anyLength)
	if err == nil {
		err = r.needAligned()
	}
	if err != nil {
		return conformance.Result{}, err
	}
	return done(r.each(func(o *object, off, n int64) error {
		return o.m.Prefault(context.Background(), off, n, access)
	}), forPopulate)
}

// ftruncate sets a file's size, with Grow or Truncate of a mapping that shows enough of the file.
func ftruncate(w *worker, s *step) (conformance.Result, error) {
	f, err := w.fd(s.Args[0])
	if err != nil {
		return conformance.Result{}, err
	}
	n := int64(s.Args[1].Value)
	st, err := f.stat()
	o := w.growing(f, st)
	switch {
	case err != nil || o == nil || n < 0:
		err = retry(func() error { return syscall.Ftruncate(f.fd(), n) })
	case n < st.Size && n < o.m.Len():
		err = o.m.Truncate(n)
	case st.Size <= n && n <= int64(o.n):
		err = o.grow(st.Size, n)
	default:
		err = retry(func() error { return syscall.Ftruncate(f.fd(), n) })
	}
	return done(err, noReasons)
}

// grow makes the file n bytes long. A mapping that reaches beyond the new end is cut where the file ends now, or else
// there would be nothing to grow; the rest of it comes back with reveal.
func (o *object) grow(size, n int64) error {
	if n < o.m.Len() {
		if err := o.m.Truncate(size); err != nil {
			return err
		}
	}
	return o.m.Grow(n)
}

// growing returns a mapping of the file from its beginning that may change the file's size, or nil.
func (w *worker) growing(f *file, st syscall.Stat_t) *object {
	if !f.writable() {
		return nil
	}
	for _, o := range w.objects {
		if o.closed || !o.shared || o.readOnly || o.holed || o.remapped || o.anonymous || o.fileOff != 0 {
			continue
		}
		if mapped, err := o.stat(); err == nil && mapped.Dev == st.Dev && mapped.Ino == st.Ino {
			return o
		}
	}
	return nil
}

// stat asks for the file behind a mapping.
func (o *object) stat() (syscall.Stat_t, error) {
	f, err := o.m.File()
	if err != nil {
		return syscall.Stat_t{}, err
	}
	st, err := (&file{File: f}).stat()
	return st, errors.Join(err, f.Close())
}
