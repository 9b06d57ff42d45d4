package library

import (
	"errors"

	"github.com/memmap-go/memmap"
)

// Placing mappings in regions.

// place maps what is wished for at its place in a region.
func (w *worker) place(c wish, r *region) (*object, error) {
	target := spanOf(c.addr, roundUp(c.n, w.page))
	if c.addr%w.page != 0 {
		return w.placeAt(c, r, false) // nothing can be cut there; the library must say so
	}
	if c.noReplace {
		return w.placeAt(c, r, false)
	}
	if err := w.replaceable(r, target); err != nil {
		return nil, err
	}
	cut, err := w.clear(r, target, false)
	if err != nil {
		return nil, err
	}
	replaced := w.inside(target)
	o, err := w.placeAt(c, r, len(replaced) > 0)
	if err != nil {
		return nil, errors.Join(err, w.restore(r, cut))
	}
	for _, old := range replaced {
		old.closed = true
	}
	return o, nil
}

// placeAt has the region do it.
func (w *worker) placeAt(c wish, r *region, replace bool) (*object, error) {
	at, n := int64(c.addr-r.span.Lo), int64(c.n)
	var m *memmap.Mapping
	var err error
	if c.file == nil {
		cfg := c.anonConfig()
		cfg.Addr, cfg.Replace = 0, replace
		m, err = r.r.Anonymous(at, n, cfg)
	} else {
		cfg := c.fileConfig()
		cfg.Addr, cfg.Replace = 0, replace
		m, err = r.r.MapRange(at, c.file.File, int64(c.off), n, cfg)
	}
	if err != nil {
		return nil, err
	}
	return w.addWish(c, m, r)
}

// replaceable reports what stands against replacing a range: the library replaces mappings as wholes.
func (w *worker) replaceable(r *region, target span) error {
	if !r.span.covers(target) {
		return diverge("a placement must lie in one Region")
	}
	for _, o := range w.inside(target) {
		if !o.filler && !target.covers(o.span()) {
			return diverge("a placement replaces whole mappings by design")
		}
	}
	return nil
}

// clear cuts a range out of the fillers that reach into it. With all, the fillers that it covers go as well; otherwise
// these stay, to be replaced. It returns what it has emptied.
func (w *worker) clear(r *region, target span, all bool) (cut []span, err error) {
	for _, o := range w.inside(target) {
		s := o.span()
		if !o.filler || !all && target.covers(s) {
			continue
		}
		if err := w.close(o); err != nil {
			return cut, err
		}
		for _, rest := range []span{{s.Lo, target.Lo}, {target.Hi, s.Hi}} {
			if rest.Lo < rest.Hi {
				if _, err := w.fill(r, rest); err != nil {
					return cut, err
				}
			}
		}
		cut = append(cut, target.clip(s))
	}
	return cut, nil
}

// restore fills again what clear has emptied, after nothing could be placed there.
func (w *worker) restore(r *region, cut []span) error {
	var errs []error
	for _, s := range cut {
		_, err := w.fill(r, s)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// close closes an object.
func (w *worker) close(o *object) error {
	o.closed = true
	return o.m.Close()
}

// closeRegion closes a region with all that is in it.
func (w *worker) closeRegion(r *region) error {
	for _, o := range w.inside(r.span) {
		o.closed = true
	}
	r.closed = true
	return r.r.Close()
}
