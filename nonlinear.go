package memmap

import (
	"os"

	"github.com/memmap-go/memmap/internal/sys"
)

// RemapPages makes the pages of the range [off, off+n) show another part of the
// mapped file, from fileOff on; their protection and locks stay. The mapping must
// be shared. The range must cover whole pages, and fileOff must lie at the same
// distance from a page boundary as off. Each such part costs an area; see
// MapPages for a whole permutation.
//
// Source: remap_file_pages(2), which the kernel itself emulates like this since
// Linux 4.0.
func (m *Mapping) RemapPages(off, n, fileOff int64) error {
	return m.onWholePages("remap pages", off, n, func(v *view, lo, hi int64) error {
		start := fileOff - (v.delta + off - lo)
		switch {
		case m.flags&sys.Shared == 0:
			return ErrPrivate
		case m.device:
			return errDevice
		case start < 0 || start%v.page != 0:
			return withHint(errUnaligned, "fileOff %d", fileOff)
		}
		if err := firstOf(checkFileRange(start, hi-lo), v.whole(lo, hi)); err != nil {
			return err
		}
		next := v.with(v.layout.change(lo, hi, func(r *run) { r.fileOff = start + r.off - lo }))
		if err := m.mapRuns(next, lo, hi); err != nil {
			return joined(err, m.mapRuns(v, lo, hi))
		}
		m.publish(next)
		return nil
	})
}

// MapPages maps pages of a file in any order, each as often as wanted: page i of
// the mapping is page pages[i] of the file. Pages that are neighbours in both
// share an area; each other one takes an area of its own, of which a process has
// some 65,000 (vm.max_map_count).
func MapPages(f *os.File, pages []int64, cfg *FileConfig) (*Mapping, error) {
	fail := func(err error) (*Mapping, error) {
		return nil, &Error{Op: "map pages", Name: nameOf(f), Err: err}
	}
	c := cfg.orDefault()
	if err := c.check(false); err != nil {
		return fail(err)
	}
	if c.MaxLen > 0 {
		return fail(invalid("MaxLen is for mappings in the order of the file"))
	}
	own, err := duplicate(f)
	if err != nil {
		return fail(err)
	}
	m, err := mapPagesOf(own, pages, c)
	if err != nil {
		return fail(joined(err, own.Close()))
	}
	return m, nil
}

func mapPagesOf(own *os.File, pages []int64, c FileConfig) (*Mapping, error) {
	info, err := own.Stat()
	if err != nil {
		return nil, pathCause(err)
	}
	m, page, err := mappingOf(own, info, c)
	if err != nil {
		return nil, err
	}
	v := &view{page: page}
	for i, p := range pages {
		if err := checkFilePage(p, page); err != nil {
			return nil, withHint(err, "page %d of the file", p)
		}
		v.layout = v.layout.append(run{off: int64(i) * page, n: page, fileOff: p * page, prot: c.Prot, lock: c.Lock})
	}
	return m, m.create(v, int64(len(pages))*page, c.placement(nil))
}

// checkFilePage reports a page that no file can have.
func checkFilePage(p, size int64) error {
	switch {
	case p < 0:
		return ErrRange
	case p > maxLen/size:
		return errOffsetTooHigh
	}
	return checkFileRange(p*size, size)
}

// Mirror maps n bytes of memory twice in a row: byte i and byte n+i are the same.
// A ring buffer in it needs no special case at its end, since each run of up to
// n bytes is in one piece somewhere. n must be a multiple of the page size. The
// memory is shared, as with AnonConfig.Shared; File hands it on.
func Mirror(n int64, cfg *AnonConfig) (*Mapping, error) {
	c := cfg.orDefault()
	c.Shared = true
	m, err := mirror(n, c)
	if err != nil {
		return nil, &Error{Op: "mirror", Name: c.Name, Len: n, Err: err}
	}
	return m, nil
}

func mirror(n int64, c AnonConfig) (*Mapping, error) {
	if err := c.check(n, false); err != nil {
		return nil, err
	}
	page, log2 := c.Huge.page()
	if n <= 0 || n%page != 0 || n > maxLen/2 {
		return nil, withHint(errUnaligned, "a mirror of %d bytes, pages of %d", n, page)
	}
	m := c.mapping(log2)
	if err := m.makeMemoryFile(n, c, log2); err != nil {
		return nil, err
	}
	half := run{n: n, prot: c.Prot, lock: c.Lock}
	again := half
	again.off = n
	err := m.create(&view{page: page, layout: layout{half, again}}, 2*n, c.placement(nil))
	if err != nil {
		return nil, joined(err, m.closeFile())
	}
	return m, nil
}
