package memmap

import (
	"io"
	"os"

	"github.com/memmap-go/memmap/internal/sys"
)

// What stands in for mappings on systems that this package can't map on (see
// sys.CanMap): the file is read into ordinary memory. Only a shared, read-only
// mapping can be had like this, and it doesn't see later changes of the file.
// Everything else is ErrUnsupported.

var errNotMapped = unsupported("the file was read, not mapped")

// readMapping reads the range of a file that it then owns.
func readMapping(own *os.File, off, n int64, c FileConfig) (*Mapping, error) {
	if c.Prot != Read || c.Private || c.MaxLen > n || c.Lock != Unlocked || c.Sync || c.Low32 || c.Addr != 0 {
		return nil, unsupported("without mappings there is only reading")
	}
	info, err := own.Stat()
	switch {
	case err != nil:
		return nil, pathCause(err)
	case !info.Mode().IsRegular():
		return nil, withHint(errNotMappable, "%s", info.Mode())
	case n > 0 && off+n > roundUp(info.Size(), int64(sys.PageSize)):
		return nil, unsupported("without mappings there are no pages beyond the end of the file")
	}
	b := make([]byte, n)
	if got, err := own.ReadAt(b, off); err != nil && err != io.EOF {
		return nil, withHint(pathCause(err), "after %d bytes", got)
	}
	m := &Mapping{traits: traits{name: own.Name(), flags: sys.Shared}, file: own, fd: -1, home: heap{}}
	m.mu = placement{}.mutex()
	m.publish(&view{page: int64(sys.PageSize), data: b[:n:n]})
	return m, nil
}

// mappedView returns the current view of a mapping that has pages of its own. mu is
// held.
func (m *Mapping) mappedView() (*view, error) {
	v, err := m.view()
	if _, read := m.home.(heap); read && err == nil {
		err = errNotMapped
	}
	return v, err
}

// heap is the home of memory that the garbage collector takes care of.
type heap struct{}

func (heap) giveBack(span) error       { return nil }
func (heap) extend(span, uintptr) bool { return false }
func (heap) vacant(uintptr) bool       { return true }
