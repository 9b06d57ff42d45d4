package library

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"syscall"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// A wish is what the arguments of mmap ask for, in the library's words.
type wish struct {
	line int
	addr uint64
	n    uint64
	off  uint64

	file *file // nil for anonymous memory
	prot memmap.Prot

	shared    bool
	droppable bool
	noReserve bool
	populate  bool
	lock      memmap.LockMode
	growsDown bool
	huge      memmap.HugePages
	sync      bool
	low       bool

	fixed     bool // at addr and nowhere else, and whatever is there goes
	noReplace bool // at addr and nowhere else, if nothing is there

	lastPlaced int // see step
}

// sharedName is the name of the memory files behind shared anonymous memory. No file of a case can have it.
const sharedName = "shared anonymous memory"

// noName is what the library calls memory that got no name.
const noName = "anonymous"

func mmap(w *worker, s *step) (conformance.Result, error) {
	c, err := w.parseMap(s)
	if err != nil {
		return conformance.Result{}, err
	}
	o, err := w.create(c)
	if err == nil {
		return conformance.Address(o.addr), nil
	}
	switch {
	case c.populate && errors.Is(err, memmap.ErrFault):
		return conformance.Result{}, refuse("Populate tells that a page can't be had, MAP_POPULATE doesn't")
	case c.lock != memmap.Unlocked && errors.Is(err, syscall.ENOMEM):
		return conformance.Result{}, refuse("Lock is mlock and says ENOMEM where MAP_LOCKED says EAGAIN or nothing")
	}
	return result(conformance.Result{}, err, forMap)
}

// parseMap translates the arguments of mmap, or says what the library has no word for.
func (w *worker) parseMap(s *step) (wish, error) {
	c := wish{line: s.Line, addr: s.Args[0].Value, n: s.Args[1].Value, off: s.Args[5].Value, lastPlaced: s.LastPlaced}
	switch {
	case w.frozen != "":
		return c, diverge("%s", w.frozen)
	case c.n == 0:
		return c, refuse("the length 0 gives an empty mapping by design")
	case c.n > math.MaxInt64 || c.off > math.MaxInt64:
		return c, refuse("lengths and offsets are int64")
	case c.off%w.page != 0:
		return c, refuse("a mapping may begin at any byte of a file by design")
	}
	var err error
	if c.prot, err = prot(s.Args[2].Flags); err != nil {
		return c, err
	}
	if err := c.parseFlags(s.Args[3].Flags); err != nil {
		return c, err
	}
	if !s.Args[3].Flags.Has("anon") {
		c.file, err = w.fd(s.Args[4])
	}
	return c, err
}

// prot translates a protection.
func prot(f conformance.Flags) (memmap.Prot, error) {
	names := map[string]memmap.Prot{"none": 0, "r": memmap.Read, "w": memmap.Write, "x": memmap.Exec}
	var p memmap.Prot
	for _, name := range f.Names {
		bit, ok := names[name]
		if !ok {
			return 0, diverge("the library has no protection %s", name)
		}
		p |= bit
	}
	switch {
	case f.Bits != 0:
		return 0, refuse("the library knows protections by name only")
	case p == 0:
		return memmap.None, nil
	}
	return p, nil
}

// hugeShift is where the logarithm of the size of huge pages stands in the flags of mmap(2).
const hugeShift, hugeMask = 26, 0x3f

func (c *wish) parseFlags(f conformance.Flags) error {
	types := 0
	for _, name := range f.Names {
		switch name {
		case "private":
			types++
		case "shared", "shared_validate":
			c.shared = true
			types++
		case "droppable":
			c.droppable = true
			types++
		case "anon":
		case "fixed":
			c.fixed = true
		case "fixed_noreplace":
			c.noReplace = true
		case "noreserve":
			c.noReserve = true
		case "populate":
			c.populate = true
		case "locked":
			c.lock = memmap.LockNow
		case "growsdown":
			c.growsDown = true
		case "hugetlb":
			c.huge = max(c.huge, memmap.DefaultHuge)
		case "huge_2m":
			c.huge = memmap.Huge2M
		case "huge_1g":
			c.huge = memmap.Huge1G
		case "sync":
			c.sync = true
		case "32bit":
			c.low = true
		default:
			return diverge("the library has no flag %s", name)
		}
	}
	return c.checkFlags(f, types)
}

// checkFlags reports combinations that the library's configurations have no fields for.
func (c *wish) checkFlags(f conformance.Flags, types int) error {
	if f.Has("hugetlb") && f.Bits>>hugeShift != 0 && f.Bits>>hugeShift <= hugeMask {
		c.huge = 1 << (f.Bits >> hugeShift)
		f.Bits &= 1<<hugeShift - 1
	}
	anon, validate := f.Has("anon"), f.Has("shared_validate")
	switch {
	case f.Bits != 0:
		return diverge("the library knows flags by name only")
	case types != 1:
		return diverge("a mapping is private or shared by design")
	case validate && (anon || c.noReplace):
		return diverge("only Sync asks for validated flags")
	case c.sync && !validate:
		return diverge("Sync is for shared mappings, and always validated")
	case !anon && (c.growsDown || c.droppable || c.huge != 0):
		return diverge("GrowsDown, Droppable and Huge are for anonymous memory by design")
	case (c.fixed || c.noReplace) && (c.low || c.growsDown):
		return diverge("Low32 and GrowsDown can't be combined with a place")
	case c.addr != 0 && !c.fixed && !c.noReplace:
		return diverge("the library has no hints for addresses")
	}
	return nil
}

// create maps what is wished for.
func (w *worker) create(c wish) (*object, error) {
	if c.fixed || c.noReplace {
		if r := w.regionAt(c.addr); r != nil {
			return w.place(c, r)
		}
		if err := w.checkAddress(c); err != nil {
			return nil, err
		}
	}
	if c.lastPlaced != 0 {
		return w.reserve(c)
	}
	if c.low && slices.ContainsFunc(w.held, func(h held) bool { return h.o.closed && h.span.Lo < lowEnd }) {
		return nil, refuse("addresses of a closed mapping stay out of use by design")
	}
	verdict, err := w.askPolicy(c)
	if err != nil {
		return nil, err
	}
	m, err := c.mapAnywhere(w)
	if err := verdict.contradicts(err); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	return w.addWish(c, m, nil)
}

// addWish keeps the mapping that a wish came true as.
func (w *worker) addWish(c wish, m *memmap.Mapping, r *region) (*object, error) {
	o, err := c.object(m, r)
	return w.add(o, c.n), err
}

// object is the object of a wish come true.
func (c *wish) object(m *memmap.Mapping, r *region) (*object, error) {
	o := &object{m: m, region: r, shared: c.shared, anonymous: c.file == nil, name: noName}
	switch {
	case c.file != nil:
		o.name, o.readOnly, o.fileOff = c.file.Name(), !c.file.writable(), c.off
	case c.shared:
		o.name = sharedName
	}
	var err error
	if c.huge != memmap.NoHuge {
		o.page, err = pageSize(addressOf(m.Bytes()))
	}
	return o, err
}

// lowEnd is where the addresses end that MAP_32BIT takes.
const lowEnd = 1 << 31

// checkAddress reports places outside regions that the library can't map at.
func (w *worker) checkAddress(c wish) error {
	switch {
	case !c.noReplace:
		return diverge("a fixed mapping outside a Region is impossible by design")
	case c.off > math.MaxInt64-c.n:
		return refuse("the library looks at the file before it looks at the place")
	}
	there := spanOf(c.addr, c.n)
	for _, o := range w.inside(there) {
		list, err := w.shape(there.clip(o.span()))
		if err != nil {
			return err
		}
		if slices.ContainsFunc(list, func(a conformance.Area) bool { return a.Perms != "" }) {
			return nil // something lives there: the library must say so
		}
	}
	if slices.ContainsFunc(w.held, func(h held) bool { return h.span.overlaps(there) }) {
		return diverge("addresses of a closed mapping stay out of use by design")
	}
	return nil
}

// reserve makes a region, and the memory without access that fills it.
func (w *worker) reserve(c wish) (*object, error) {
	r, err := memmap.Reserve(int64(c.n))
	if err != nil {
		return nil, err
	}
	reg := &region{r: r, lastPlaced: c.lastPlaced}
	reg.span = spanOf(addressOf(r.Bytes()), uint64(r.Len()))
	w.regions = append(w.regions, reg)
	return w.fill(reg, reg.span)
}

// fill puts memory without access where nothing is in a region.
func (w *worker) fill(r *region, s span) (*object, error) {
	m, err := r.r.Anonymous(int64(s.Lo-r.span.Lo), int64(s.len()), &memmap.AnonConfig{Prot: memmap.None, NoReserve: true})
	if err != nil {
		return nil, err
	}
	return w.add(&object{m: m, region: r, name: noName, filler: true}, s.len()), nil
}

// mapAnywhere maps what is wished for outside regions.
func (c *wish) mapAnywhere(w *worker) (*memmap.Mapping, error) {
	if c.file == nil {
		return memmap.Anonymous(int64(c.n), c.anonConfig())
	}
	return c.mapFile(w)
}

func (c *wish) anonConfig() *memmap.AnonConfig {
	cfg := &memmap.AnonConfig{
		Prot: c.prot, Shared: c.shared, NoReserve: c.noReserve, Populate: c.populate, Lock: c.lock, Low32: c.low,
		Huge: c.huge, GrowsDown: c.growsDown, Droppable: c.droppable,
	}
	if c.shared {
		cfg.Name = sharedName
	}
	if c.noReplace {
		cfg.Addr = uintptr(c.addr)
	}
	return cfg
}

func (c *wish) fileConfig() *memmap.FileConfig {
	cfg := &memmap.FileConfig{
		Prot: c.prot, Private: !c.shared, NoReserve: c.noReserve, Populate: c.populate, Lock: c.lock, Sync: c.sync, Low32: c.low,
	}
	if c.noReplace {
		cfg.Addr = uintptr(c.addr)
	}
	return cfg
}

// mapFile maps a part of a file. The library has several ways to do that; which one is taken depends on the line of the
// step, so that each of them has its turn, and the same step always takes the same.
func (c *wish) mapFile(w *worker) (*memmap.Mapping, error) {
	off, n := int64(c.off), int64(c.n)
	ways := []func() (*memmap.Mapping, error){
		func() (*memmap.Mapping, error) { return memmap.MapRange(c.file.File, off, n, c.fileConfig()) },
	}
	if pages := c.pageNumbers(w.page); pages != nil {
		ways = append(ways, func() (*memmap.Mapping, error) { return memmap.MapPages(c.file.File, pages, c.fileConfig()) })
	}
	st, err := c.file.stat()
	regular := err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFREG
	if regular && off == 0 && n == st.Size {
		ways = append(ways, func() (*memmap.Mapping, error) { return memmap.Map(c.file.File, c.fileConfig()) })
		if c.canOpen(st) {
			ways = append(ways, func() (*memmap.Mapping, error) { return memmap.Open(c.file.path, c.fileConfig()) })
		}
	}
	if left := st.Size - off; regular && 0 < left && left < n && c.canGrow() {
		ways = append(ways, func() (*memmap.Mapping, error) { return c.mapGrowing(left) })
	}
	return ways[c.line%len(ways)]()
}

// mapGrowing maps what the file has now, with room for the rest.
func (c *wish) mapGrowing(left int64) (*memmap.Mapping, error) {
	cfg := c.fileConfig()
	cfg.MaxLen, cfg.Sparse = int64(c.n), c.line%3 == 0
	m, err := memmap.MapRange(c.file.File, int64(c.off), left, cfg)
	if err != nil {
		return nil, err
	}
	lines, err := readMaps()
	last := addressOf(m.Bytes()) + c.n - 1
	if err == nil && !slices.ContainsFunc(lines, func(l mapsLine) bool { return l.span.holds(last) && l.path != "" }) {
		err = fmt.Errorf("a mapping with MaxLen %d shows no file at its end", c.n)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// pageNumbers lists the pages of the file that are wished for; nil if they are many, or not whole.
func (c *wish) pageNumbers(page uint64) []int64 {
	const most = 64
	if c.n%page != 0 || c.n/page > most {
		return nil
	}
	var list []int64
	for i := range c.n / page {
		list = append(list, int64(c.off/page+i))
	}
	return list
}

// canOpen reports whether opening the file by its name leads to the same mapping: to the same file, with the access
// mode that its descriptor has.
func (c *wish) canOpen(st syscall.Stat_t) bool {
	mode, err := sys.Access(c.file.fd())
	if err != nil || mode != sys.ReadOnly && mode != sys.ReadWrite || c.file.path == "" {
		return false
	}
	flags, needed := os.O_RDONLY, sys.ReadOnly
	if c.shared && c.prot&memmap.Write != 0 {
		flags, needed = os.O_RDWR, sys.ReadWrite
	}
	if c.shared && mode != needed {
		return false
	}
	f, err := os.OpenFile(c.file.path, flags, 0)
	if err != nil {
		return false
	}
	named, err := (&file{File: f}).stat()
	return errors.Join(err, f.Close()) == nil && named.Dev == st.Dev && named.Ino == st.Ino
}

// canGrow reports whether a mapping that reaches beyond the end of its file may be made as one that grows.
func (c *wish) canGrow() bool {
	return c.shared && c.file.writable() && !c.populate && c.lock == memmap.Unlocked
}

// writable reports whether a descriptor is open for reading and writing.
func (f *file) writable() bool {
	mode, err := sys.Access(f.fd())
	return err == nil && mode == sys.ReadWrite
}
