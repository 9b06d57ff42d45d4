package memmap

import "github.com/memmap-go/memmap/internal/sys"

// Resident says for each page that holds a part of [off, off+n) whether an
// access would find it in memory. Pages are the system's, of os.Getpagesize
// bytes, huge ones too. For a file the page cache counts, whoever has loaded it;
// if the file is neither ours nor writable for us, the kernel says true for all.
// The answer may be out of date when it arrives. Linux only.
//
// Source: mincore(2); can_do_mincore in mm/mincore.c.
func (m *Mapping) Resident(off, n int64) ([]bool, error) {
	var resident []bool
	err := m.onPages("resident", off, n, func(v *view, _, _ int64) error {
		page := int64(sys.PageSize)
		lo, hi := roundDown(v.delta+off, page), roundUp(v.delta+off+n, page)
		resident = make([]bool, (hi-lo)/page)
		err := v.each(lo, hi, func(r run, p span) error {
			vec := make([]byte, r.n/page)
			if err := sys.Resident(p.addr, p.n, vec); err != nil {
				return err
			}
			for i, b := range vec {
				resident[(r.off-lo)/page+int64(i)] = b&1 != 0
			}
			return nil
		})
		if err == ErrUnmapped {
			return nil // a hole is not resident
		}
		return err
	})
	return resident, err
}
