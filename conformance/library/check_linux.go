package library

import (
	"errors"
	"fmt"

	"github.com/memmap-go/memmap"
)

// check reports what the library's own word about its mappings has against what the steps did. It comes after each step.
func (w *worker) check() error {
	for _, o := range w.objects {
		if err := o.check(); err != nil {
			return fmt.Errorf("the mapping at %v: %w", o.span(), err)
		}
	}
	for _, r := range w.regions {
		if err := w.checkRegion(r); err != nil {
			return fmt.Errorf("the region at %v: %w", r.span, err)
		}
	}
	return nil
}

func (o *object) check() error {
	b := o.m.Bytes()
	switch {
	case o.closed && (b != nil || o.m.Len() != 0):
		return fmt.Errorf("it was closed or replaced, and has %d bytes", len(b))
	case o.closed:
		return nil
	case b == nil:
		return errors.New("it is closed, and no step closed it")
	case int64(len(b)) != o.m.Len() || len(b) != cap(b):
		return fmt.Errorf("its Len is %d, but its Bytes has %d, with capacity %d", o.m.Len(), len(b), cap(b))
	case len(b) > 0 && addressOf(b) != o.addr:
		return fmt.Errorf("it lies at %#x", addressOf(b))
	case o.m.Name() != o.name:
		return fmt.Errorf("its name is %q, want %q", o.m.Name(), o.name)
	}
	return nil
}

// checkRegion compares what a region says lies in it with what does.
func (w *worker) checkRegion(r *region) error {
	if r.closed {
		if b := r.r.Bytes(); b != nil {
			return fmt.Errorf("it was closed, and has %d bytes", len(b))
		}
		return nil
	}
	if b := r.r.Bytes(); spanOf(addressOf(b), uint64(r.r.Len())) != r.span || int64(len(b)) != r.r.Len() {
		return fmt.Errorf("its Len is %d, and its Bytes has %d at %#x", r.r.Len(), len(b), addressOf(b))
	}
	want := w.inside(r.span)
	for off, m := range r.r.Mappings() {
		if len(want) == 0 || m != want[0].m || uint64(off) != want[0].addr-r.span.Lo {
			return fmt.Errorf("its Mappings has %q at %d, which no step placed there", m.Name(), off)
		}
		want = want[1:]
	}
	if len(want) > 0 {
		return fmt.Errorf("its Mappings doesn't have what lies at %v", want[0].span())
	}
	return nil
}

// checkClosed closes mappings once more, which must be harmless, and an error that says so.
func (w *worker) checkClosed() error {
	for _, o := range w.objects {
		if err := o.m.Close(); !errors.Is(err, memmap.ErrClosed) {
			return fmt.Errorf("closing the mapping at %v again gave %v", o.span(), err)
		}
	}
	return nil
}
