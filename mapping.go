package memmap

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/memmap-go/memmap/internal/sys"
)

// Mapping is a range of memory that shows a part of a file, or anonymous memory
// that starts as zeros.
//
// A Mapping may be used by many goroutines at once. What concurrent stores to
// the same bytes lead to is up to the program, as with any memory. Close makes
// the memory inaccessible: guarded access (ReadAt, WriteAt, Load, Store, code
// under Guard) then reports ErrClosed, while a raw access through a slice from
// Bytes is a crash, unless it runs under Guard.
//
// A Mapping must be closed; the garbage collector doesn't. That of a file keeps a
// descriptor of its own until then; closing it ends the locks by fcntl(2) that the
// process has on the file, as every close does.
type Mapping struct {
	traits
	file *os.File // a descriptor of our own; nil for private anonymous memory
	fd   int      // that of file, or -1; used under mu, since Close closes it
	home home     // where the address space is from

	// mu guards all changes: of pages, layout, length, and of the file's
	// size by us. Guarded access takes it only after a fault. The mappings
	// in a Region share the region's.
	mu *sync.Mutex

	// gate is that of the Region that the mapping was made in, or nil.
	gate *sync.RWMutex

	watched runtime.Cleanup // reports m if it is lost; guarded by mu

	// lost is the error of closing the file of a mapping that was replaced;
	// nobody was there to get it. Guarded by mu.
	lost error

	// now is what is mapped; nil once closed. A view is immutable: a change
	// publishes a new one, and readers need no lock.
	now atomic.Pointer[view]

	// places are the address ranges that are or were ours, the last first. By
	// them a fault is recognised as ours, also after Close.
	places atomic.Pointer[place]
}

// traits are what doesn't change in a mapping's life, and what other mappings of the
// same memory have in common with it.
type traits struct {
	name   string
	flags  sys.Flags // how its pages are mapped, but for the place
	sparse bool      // Grow allocates nothing
	device bool      // mapping it again may show other memory
	yields bool      // copying access loads pages without stopping the scheduler
	sees   bool      // mincore tells us the truth about the file
	shadow *shadow   // what the race detector sees; nil: nothing
}

// place is where the pages of a mapping are or were. It never changes.
type place struct {
	span
	delta  int64  // that of the view
	home   home   // that of the mapping then
	before *place // where they were before that, or nil
}

// view is a mapping at one moment.
type view struct {
	pages  span   // whole pages; what the kernel knows
	page   int64  // size of a page: larger on hugetlbfs
	delta  int64  // where the user's first byte lies in pages
	data   []byte // what the user asked for: len(data) is the length
	layout layout // what stands at each page

	// known says which pages copying access needn't load. Nil: none.
	known *knownPages
}

// Open maps the whole of the named file. It never creates one. An empty file
// gives an empty mapping. The file is opened for writing only if a shared
// writable mapping is asked for.
func Open(name string, cfg *FileConfig) (*Mapping, error) {
	c := cfg.orDefault()
	flag := os.O_RDONLY
	if c.Prot&Write != 0 && !c.Private {
		flag = os.O_RDWR
	}
	// Without O_NONBLOCK, opening a pipe would wait for its other end.
	f, err := os.OpenFile(name, flag|sys.OpenNonblock, 0)
	if err != nil {
		return nil, &Error{Op: "open", Name: name, Err: pathCause(err)}
	}
	m, err := mapWhole("open", f, c)
	if err != nil {
		return nil, joined(err, f.Close())
	}
	return m, nil
}

// Map maps the whole of a file, as long as it is now. f may be closed
// afterwards: the mapping keeps a descriptor of its own.
func Map(f *os.File, cfg *FileConfig) (*Mapping, error) {
	own, err := duplicate(f)
	if err != nil {
		return nil, &Error{Op: "map", Name: nameOf(f), Err: err}
	}
	m, err := mapWhole("map", own, cfg.orDefault())
	if err != nil {
		return nil, joined(err, own.Close())
	}
	return m, nil
}

// MapRange maps n bytes of a file from any byte offset. The range may reach
// beyond the end of the file: pages wholly beyond it fault until the file grows.
// n == 0 gives an empty mapping.
func MapRange(f *os.File, off, n int64, cfg *FileConfig) (*Mapping, error) {
	return mapRange("map", f, off, n, cfg, nil)
}

// mapWhole maps all of a file that the mapping will own.
func mapWhole(op string, own *os.File, c FileConfig) (*Mapping, error) {
	info, err := own.Stat()
	if err != nil {
		return nil, &Error{Op: op, Name: own.Name(), Err: pathCause(err)}
	}
	if info.Mode().Type()&os.ModeDevice != 0 {
		return nil, &Error{Op: op, Name: own.Name(), Err: invalid("a device has no length: MapRange says how much of it")}
	}
	return newFileMapping(op, own, info, 0, info.Size(), c, nil)
}

// mapRange maps a range of a file of the caller's, in a region or anywhere.
func mapRange(op string, f *os.File, off, n int64, cfg *FileConfig, at *slot) (*Mapping, error) {
	own, err := duplicate(f)
	if err != nil {
		return nil, &Error{Op: op, Name: nameOf(f), Off: off, Len: n, Err: err}
	}
	info, err := own.Stat()
	if err != nil {
		err = &Error{Op: op, Name: own.Name(), Off: off, Len: n, Err: pathCause(err)}
		return nil, joined(err, own.Close())
	}
	m, err := newFileMapping(op, own, info, off, n, cfg.orDefault(), at)
	if err != nil {
		return nil, joined(err, own.Close())
	}
	return m, nil
}

// newFileMapping maps a range of a file that the mapping will own, if it
// succeeds.
func newFileMapping(op string, own *os.File, info fs.FileInfo, off, n int64, c FileConfig, at *slot) (*Mapping, error) {
	fail := func(err error) (*Mapping, error) {
		return nil, &Error{Op: op, Name: own.Name(), Off: off, Len: n, Err: err}
	}
	if err := c.check(at != nil); err != nil {
		return fail(err)
	}
	if err := checkFileRange(off, max(n, c.MaxLen)); err != nil || n < 0 {
		return fail(firstOf(err, ErrRange))
	}
	if !sys.CanMap {
		m, err := readMapping(own, off, n, c)
		if err != nil {
			return fail(err)
		}
		return m, nil
	}
	m, page, err := mappingOf(own, info, c)
	if err != nil {
		return fail(err)
	}
	v := &view{page: page, delta: off - roundDown(off, page)}
	size := roundUp(v.delta+max(n, c.MaxLen), page)
	if max(n, c.MaxLen) > 0 {
		v.layout = layout{{n: size, fileOff: off - v.delta, prot: c.Prot, lock: c.Lock}}
	}
	if c.Lock == LockNow {
		// The room to grow can't be loaded yet.
		_, end := v.pageRange(0, n)
		v.layout = v.layout.change(end, size, func(r *run) { r.lock = LockOnFault })
	}
	if err := m.create(v, n, c.placement(at)); err != nil {
		return fail(err)
	}
	return m, nil
}

// mappingOf returns a mapping of a file that can be mapped this way, but for its
// pages, and their size.
func mappingOf(own *os.File, info fs.FileInfo, c FileConfig) (m *Mapping, page int64, err error) {
	fd, err := descriptor(own)
	if err != nil {
		return nil, 0, err
	}
	if err := checkFile(fd, info, c); err != nil {
		return nil, 0, err
	}
	page, err = sys.BlockSizeOf(fd, info)
	if err != nil {
		return nil, 0, err
	}
	m = &Mapping{file: own, fd: fd, traits: traits{
		name:   own.Name(),
		flags:  c.flags(),
		sparse: c.Sparse,
		device: !info.Mode().IsRegular(),
		yields: !c.NoYield && info.Mode().IsRegular() && page == int64(sys.PageSize),
		sees:   sys.SeesResidency(info),
		shadow: newShadow(c.NoRaceShadow),
	}}
	return m, page, nil
}

// Anonymous maps n bytes of memory that belongs to no file. With cfg nil it is
// private, readable and writable. n == 0 gives an empty mapping.
func Anonymous(n int64, cfg *AnonConfig) (*Mapping, error) {
	return anonymous("map", n, cfg, nil)
}

func anonymous(op string, n int64, cfg *AnonConfig, at *slot) (*Mapping, error) {
	c := cfg.orDefault()
	m, err := newAnonymous(n, c, at)
	if err != nil {
		return nil, &Error{Op: op, Name: c.Name, Len: n, Err: err}
	}
	return m, nil
}

func newAnonymous(n int64, c AnonConfig, at *slot) (*Mapping, error) {
	if err := c.check(n, at != nil); err != nil {
		return nil, err
	}
	page, log2 := c.Huge.page()
	size := roundUp(n, page)
	v := &view{page: page}
	if n > 0 {
		v.layout = layout{{n: size, prot: c.Prot, lock: c.Lock}}
	}
	if n > 0 && c.GrowsDown {
		v.growDown()
	}
	m := c.mapping(log2)
	if c.Shared {
		if err := m.makeMemoryFile(size, c, log2); err != nil {
			return nil, err
		}
	}
	if err := m.create(v, n, c.placement(at)); err != nil {
		return nil, joined(err, m.closeFile())
	}
	return m, nil
}

// mapping returns a mapping of anonymous memory, but for its memory.
func (c *AnonConfig) mapping(hugeLog2 int) *Mapping {
	return &Mapping{fd: -1, traits: traits{name: c.Name, flags: c.flags(hugeLog2), shadow: newShadow(c.NoRaceShadow)}}
}

// makeMemoryFile gives shared anonymous memory the file behind it.
func (m *Mapping) makeMemoryFile(size int64, c AnonConfig, hugeLog2 int) error {
	fd, err := sys.MemoryFile(c.Name, c.Sealable, hugeLog2)
	if err != nil {
		return err
	}
	m.file, m.fd = os.NewFile(uintptr(fd), c.Name), fd
	if err := m.file.Truncate(size); err != nil {
		return joined(pathCause(err), m.file.Close())
	}
	return nil
}

// create maps a view's layout into address space from the given place and makes
// n bytes of it the mapping's.
func (m *Mapping) create(v *view, n int64, at placement) error {
	m.mu = at.mutex()
	if at.slot != nil {
		m.gate = &at.slot.region.gate
	}
	defer m.lock().Unlock()
	v.data = []byte{}
	if len(v.layout) > 0 {
		if err := m.mapPages(v, n, at); err != nil {
			return err
		}
	} else if at.slot != nil {
		// An empty mapping takes no place, but must be given one.
		if _, err := at.slot.claim(v, 0); err != nil {
			return err
		}
	}
	m.home = at.home()
	m.publish(v)
	if at.slot != nil {
		at.slot.region.insert(m)
	}
	return nil
}

// mapPages takes address space and maps the layout there; n bytes of it will be
// the mapping's. On failure nothing is left.
func (m *Mapping) mapPages(v *view, n int64, at placement) (err error) {
	size := v.layout[len(v.layout)-1].end()
	stack := m.flags&sys.GrowsDown != 0
	switch {
	case size > maxLen:
		return errTooLong
	case stack:
		v.pages, err = addresses.takeStack(uintptr(size), v.layout[1].prot, m.flags)
	default:
		v.pages, err = at.take(v, uintptr(size))
	}
	if err != nil {
		return explain(err, size)
	}
	v.data = bytesAt(v.pages, v.delta, n)
	switch {
	case stack:
		m.nameArea(v.pages.at(size-v.page, v.page))
		return nil
	case at.slot != nil && at.slot.replace:
		return at.slot.region.replace(m, v, at)
	}
	if at.inArena() && len(v.layout) == 1 {
		if err := m.mapFresh(v.pages, v.layout[0]); err != nil {
			return err
		}
		err = m.dress(v.pages, v.layout[0])
	} else {
		err = m.mapRuns(v, 0, size)
	}
	if err == nil && at.populate {
		err = m.populateNew(v)
	}
	if err != nil {
		err = joined(err, at.home().giveBack(v.pages))
	}
	return err
}

// mapFresh maps a run into free address space of an arena, with one call. If that
// fails, the arena sees what has become of it.
func (m *Mapping) mapFresh(to span, r run) error {
	err := m.mapDirectly(to, r)
	if err == nil {
		return nil
	}
	addresses.regain(to)
	return m.explain(m.refused(err, r), r)
}

// mapRuns maps the part [lo, hi) of a view's pages.
func (m *Mapping) mapRuns(v *view, lo, hi int64) error {
	for _, r := range v.layout.in(lo, hi) {
		if err := m.mapRun(v.pages, r); err != nil {
			return m.explain(err, r)
		}
	}
	return nil
}

// explain adds to an errno of mapping or moving a run what the user can do about it.
func (m *Mapping) explain(err error, r run) error {
	if m.flags&sys.Shared == 0 && r.prot&Write != 0 {
		return explainCharge(err, r.n)
	}
	return explain(err, r.n)
}

// mapRun maps one run over inaccessible memory of ours.
func (m *Mapping) mapRun(pages span, r run) error {
	if r.state == hole {
		return nil
	}
	to := pages.at(r.off, r.n)
	if err := m.mapAt(to, r); err != nil {
		return m.refused(err, r)
	}
	return m.dress(to, r)
}

// dress gives pages that were mapped what belongs to their run besides.
func (m *Mapping) dress(to span, r run) error {
	m.nameArea(to)
	if err := r.advice.give(to); err != nil {
		return err
	}
	if r.state == guarded {
		if err := sys.Advise(to.addr, to.n, sys.AdviseGuardInstall); err != nil {
			return guardPages.lacking(err)
		}
	}
	return lockPages(to, r.lock)
}

// nameArea gives private anonymous memory its name: a hint, for kernels may be built
// without it.
func (m *Mapping) nameArea(p span) {
	if m.file == nil && m.name != anonymousName {
		_ = sys.SetName(p.addr, p.n, m.name)
	}
}

// mapAt puts a run in the place of memory that somebody may look at, or that lies
// between what is ours alone to give out. It is mapped elsewhere first, and
// then moved: mmap(MAP_FIXED) may refuse after it has unmapped what was there (the
// file's own mmap operation, the pool of huge pages, before Linux 6.12 the commit
// limit), and something else, the Go heap, could get into the gap.
func (m *Mapping) mapAt(to span, r run) error {
	scratch, err := m.mapAnywhere(r)
	if err == sys.ENOMEM && addressLimit(err, r.n) != nil {
		// RLIMIT_AS leaves no room for the same pages twice.
		return m.mapDirectly(to, r)
	}
	if err != nil {
		return err
	}
	_, err = sys.Remap(scratch.addr, scratch.n, scratch.n, sys.RemapMayMove|sys.RemapFixed, to.addr)
	if err == nil {
		return nil
	}
	undo := sys.Unmap(scratch.addr, scratch.n)
	if errors.Is(err, errors.ErrUnsupported) && undo == nil {
		// Not Linux. Nothing will be refused that wasn't just now.
		return m.mapDirectly(to, r)
	}
	return joined(err, undo)
}

func (m *Mapping) mapDirectly(to span, r run) error {
	_, err := sys.Map(to.addr, to.n, sysProt(r.prot), m.flags|sys.Fixed, m.fd, r.fileOff)
	return err
}

// mapAnywhere maps a run where the kernel likes.
func (m *Mapping) mapAnywhere(r run) (span, error) {
	addr, err := sys.Map(0, uintptr(r.n), sysProt(r.prot), m.flags, m.fd, r.fileOff)
	return span{addr, uintptr(r.n)}, err
}

// refused adds to the errno of mmap what it means for this mapping.
func (m *Mapping) refused(err error, r run) error {
	switch {
	case m.flags&sys.Droppable != 0:
		return droppable.lacking(err)
	case m.flags&sys.Sync != 0 && errors.Is(err, errors.ErrUnsupported):
		return withHint(err, "Sync needs a file system with DAX")
	case err == sys.ENOMEM && m.hugePages():
		return withHint(err, "the pool has not enough free huge pages")
	case r.prot&Exec != 0 && err == sys.EPERM:
		return withHint(err, "the file system forbids execution")
	case r.prot&Write != 0 && err == sys.EPERM:
		return withHint(err, "the file is sealed against writing")
	case r.prot&Write != 0 && err == sys.EACCES:
		return withHint(err, "the file is append-only")
	}
	return err
}

// hugePages reports whether the memory comes from a pool of huge pages.
func (m *Mapping) hugePages() bool {
	if m.file == nil {
		return m.flags&sys.Huge != 0
	}
	page, err := sys.BlockSize(m.fd)
	return err == nil && page > int64(sys.PageSize)
}

// remember adds a view's range to those in which faults are ours.
func (m *Mapping) remember(v *view) {
	last := m.places.Load()
	switch {
	case last == nil:
	case last.contains(v.pages):
		return
	case v.pages.contains(last.span):
		last = last.before // it grew in place
	}
	m.places.Store(&place{v.pages, v.delta, m.home, last.newest(maxPlaces - 1)})
}

// maxPlaces bounds how many places of a mapping that moves and moves are known.
// A slice into one that it left so long ago is a foreign slice.
const maxPlaces = 32

// newest returns the n newest of a list of places.
func (p *place) newest(n int) *place {
	if p == nil || n == 0 {
		return nil
	}
	return &place{p.span, p.delta, p.home, p.before.newest(n - 1)}
}

// publish makes a new view the current one.
func (m *Mapping) publish(v *view) {
	old := m.now.Load()
	if old == nil || old.pages != v.pages {
		m.remember(v)
		v.known = nil
		if m.yields && v.pages.n > 0 {
			v.known = newKnown(v.pages, m.sees)
		}
	}
	m.now.Store(v)
	count(old, v)
	if old != nil && old.known != v.known {
		old.known.stop()
	}
	if _, inRegion := m.home.(*Region); old == nil && !inRegion {
		m.watched = watch(m, m.name, int64(len(v.data)))
	}
}

// unpublish ends what is mapped.
func (m *Mapping) unpublish() *view {
	v := m.now.Swap(nil)
	m.ended(v)
	return v
}

// ended takes note that what was mapped last isn't any more.
func (m *Mapping) ended(v *view) {
	v.known.stop()
	m.watched.Stop()
	count(v, nil)
}

// lock takes the mutex that guards changes, and returns it.
func (m *Mapping) lock() *sync.Mutex {
	mu := m.mu
	if mu == nil {
		mu = &unborn
	}
	mu.Lock()
	return mu
}

// unborn is the mutex of zero Mappings, which are closed.
var unborn sync.Mutex

// view returns the current view, or ErrClosed.
func (m *Mapping) view() (*view, error) {
	if v := m.now.Load(); v != nil {
		return v, nil
	}
	return nil, ErrClosed
}

// Bytes returns the memory itself; its length is its capacity. It is raw: a
// fault in it (the file was truncated, the disk is full, the mapping was closed)
// crashes the program, unless the code runs under Guard. Growing leaves it valid,
// Remap and Close don't. After Close, Bytes is nil.
func (m *Mapping) Bytes() []byte {
	v := m.now.Load()
	if v == nil {
		return nil
	}
	return v.data
}

// Len returns the length in bytes; 0 after Close.
func (m *Mapping) Len() int64 { return int64(len(m.Bytes())) }

// Name returns the name of the file, or that of the memory.
func (m *Mapping) Name() string { return m.name }

// File returns a new descriptor of the mapped file, to hand on: to a child
// through ExtraFiles, to any process over a Unix socket. Private anonymous
// memory has none (ErrPrivate). The caller closes it.
func (m *Mapping) File() (*os.File, error) {
	defer m.lock().Unlock()
	if _, err := m.view(); err != nil {
		return nil, m.fail("file", 0, 0, err)
	}
	if m.file == nil {
		return nil, m.fail("file", 0, 0, ErrPrivate)
	}
	f, err := duplicate(m.file)
	if err != nil {
		return nil, m.fail("file", 0, 0, err)
	}
	return f, nil
}

// Close ends the mapping. Its memory becomes inaccessible in one step, and its
// addresses stay out of use for a while, so that a slice kept too long faults
// instead of reading what was mapped next. Concurrent guarded access ends with
// ErrClosed. Close writes nothing to the disk and loses nothing: stores into a
// shared mapping are in the page cache (see Sync). Closing again is harmless
// and reports ErrClosed.
func (m *Mapping) Close() error {
	defer m.lock().Unlock()
	if _, err := m.view(); err != nil {
		lost := m.lost
		m.lost = nil
		return m.fail("close", 0, 0, firstOf(lost, err))
	}
	if err := joined(m.release(), m.closeFile()); err != nil {
		return m.fail("close", 0, 0, err)
	}
	return nil
}

// release ends the mapping but for its file. m.mu is held.
func (m *Mapping) release() error {
	v := m.unpublish()
	if r, ok := m.home.(*Region); ok {
		r.remove(m)
	}
	return m.home.giveBack(v.pages)
}

func (m *Mapping) closeFile() error {
	if m.file == nil {
		return nil
	}
	return pathCause(m.file.Close())
}

// fail wraps the cause of a failed operation.
func (m *Mapping) fail(op string, off, n int64, err error) error {
	return &Error{Op: op, Name: m.name, Off: off, Len: n, Err: err}
}

// duplicate returns a descriptor of our own for a caller's file. It works
// whatever mode the file is in, and reports nil and closed files.
func duplicate(f *os.File) (*os.File, error) {
	if f == nil {
		return nil, fs.ErrInvalid
	}
	if !sys.CanMap {
		f, err := os.Open(f.Name())
		return f, pathCause(err)
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return nil, pathCause(err)
	}
	fd, dupErr := -1, error(nil)
	if err := conn.Control(func(raw uintptr) { fd, dupErr = sys.Duplicate(int(raw)) }); err != nil {
		// Of a closed file, Stat says so with fs.ErrClosed; Control doesn't.
		_, statErr := f.Stat()
		return nil, pathCause(firstOf(statErr, err))
	}
	if dupErr != nil {
		return nil, dupErr
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func nameOf(f *os.File) string {
	if f == nil {
		return ""
	}
	return f.Name()
}

// pathCause takes the errno, or the like, out of an error of package os: our
// own error names the file.
func pathCause(err error) error {
	if p, ok := err.(*fs.PathError); ok {
		return p.Err
	}
	return err
}

// joined returns all errors that are there as one. All of them have been
// computed: it is not for steps of which the second needs the first.
func joined(errs ...error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) < 2 {
		return firstOf(errs...)
	}
	return errors.Join(errs...)
}

// firstOf returns the first explanation that is there.
func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
