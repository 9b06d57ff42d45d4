package library

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/memmap-go/memmap"
)

// What a child of fork gets. Go can't fork, so a new worker gets what can be shared.

// mostDescriptors bounds how many go over a socket before someone receives them.
const mostDescriptors = 100

// bequeath says what a child gets, and sends its descriptors.
func (w *worker) bequeath() (e *estate, err error) {
	if w.limited {
		return nil, refuse("a new worker would not have the limits of its parent")
	}
	policy, err := memmap.ReadOvercommit()
	if err != nil {
		return nil, err
	}
	if policy.Mode == memmap.OvercommitNever {
		return nil, refuse("what a child costs depends on private memory, which it doesn't get")
	}
	e = new(estate)
	files := w.bequeathFiles(e)
	for _, r := range w.regions {
		if !r.closed {
			e.Regions = append(e.Regions, bequeathedRegion{r.span, r.lastPlaced})
		}
	}
	mapped, err := w.bequeathMappings(e)
	defer func() {
		for _, f := range mapped {
			err = errors.Join(err, f.Close())
		}
	}()
	if err != nil {
		return nil, err
	}
	return e, w.sendFiles(append(files, mapped...))
}

// bequeathFiles adds the open files to an estate, and returns them in the same order.
func (w *worker) bequeathFiles(e *estate) []*os.File {
	var files []*os.File
	for name, f := range w.files {
		if f.fd() >= 0 {
			e.Files = append(e.Files, bequeathedFile{name, f.path})
			files = append(files, f.File)
		}
	}
	return files
}

func (w *worker) sendFiles(files []*os.File) error {
	if len(files) > mostDescriptors {
		return refuse("%d descriptors are too many to hand on", len(files))
	}
	for _, f := range files {
		if err := w.sendDescriptor(int(f.Fd())); err != nil {
			return err
		}
	}
	return nil
}

// bequeathMappings adds the live mappings to an estate, and returns the files of those that come with one.
func (w *worker) bequeathMappings(e *estate) ([]*os.File, error) {
	e.Kept = slices.Clone(w.kept)
	for _, u := range w.unknown {
		e.Kept = append(e.Kept, keptMemory{u, true})
	}
	var files []*os.File
	for _, o := range w.objects {
		if o.closed {
			continue
		}
		b := bequeathedMapping{
			Span: o.span(), Region: -1, Filler: o.filler, Anonymous: o.anonymous, ReadOnly: o.readOnly, Name: o.name,
		}
		if o.region != nil {
			b.Region = slices.IndexFunc(e.Regions, func(r bequeathedRegion) bool { return r.Span == o.region.span })
		}
		if !o.filler {
			f, err := w.shareable(o)
			if err != nil {
				return files, err
			}
			if f == nil {
				e.Kept = append(e.Kept, keptMemory{o.span(), o.shared})
				continue
			}
			files = append(files, f)
			if b.Areas, err = w.bequeathAreas(o); err != nil {
				return files, err
			}
		}
		e.Mappings = append(e.Mappings, b)
	}
	return files, nil
}

// shareable returns the file through which another process can map an object's memory, or nil if none can.
func (w *worker) shareable(o *object) (*os.File, error) {
	dontFork, err := w.hasFlag(o.addr, "dc")
	if err != nil || !o.shared || dontFork || w.known([]span{o.span()}, false) != nil {
		return nil, err
	}
	f, err := o.m.File()
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		return f, nil
	}
	return nil, errors.Join(err, f.Close()) // a device gives each mapping memory of its own
}

// bequeathAreas says how an object is mapped.
func (w *worker) bequeathAreas(o *object) ([]bequeathedArea, error) {
	lines, err := readMaps()
	if err != nil {
		return nil, err
	}
	var list []bequeathedArea
	for _, l := range lines {
		for part := o.span().clip(l.span); part.Lo < part.Hi; {
			isHole, n := false, part.len()
			if l.perms == "---p" && l.path == "" {
				if isHole, n, err = w.holeAt(part); err != nil {
					return nil, err
				}
			}
			list = append(list, bequeathedArea{part.Lo - o.addr, n, isHole, l.perms, l.offset + part.Lo - l.span.Lo})
			part.Lo += n
		}
	}
	return list, nil
}

// inherit makes this worker the child that gets an estate.
func (w *worker) inherit(e *estate) ([]relocate, error) {
	var moves []relocate
	for _, b := range e.Files {
		fd, err := w.receiveDescriptor()
		if err != nil {
			return nil, err
		}
		w.keep(b.Name, fd, b.Path)
	}
	for _, b := range e.Regions {
		r, err := memmap.Reserve(int64(b.Span.len()))
		if err != nil {
			return nil, err
		}
		lo := addressOf(r.Bytes())
		w.regions = append(w.regions, &region{r: r, span: spanOf(lo, b.Span.len()), lastPlaced: b.LastPlaced})
		moves = append(moves, relocate{b.Span, lo})
	}
	for _, b := range e.Mappings {
		o, err := w.inheritMapping(b, e)
		if err != nil {
			return nil, fmt.Errorf("hand on the mapping at %v: %w", b.Span, err)
		}
		moves = append(moves, relocate{b.Span, o.addr})
	}
	for _, k := range e.Kept {
		for _, m := range moves {
			if m.From.covers(k.Span) {
				w.kept = append(w.kept, keptMemory{spanOf(m.To+k.Span.Lo-m.From.Lo, k.Span.len()), k.Shared})
			}
		}
	}
	return moves, nil
}

// inheritMapping maps what the parent had mapped.
func (w *worker) inheritMapping(b bequeathedMapping, e *estate) (o *object, err error) {
	var r *region
	var from bequeathedRegion
	if b.Region >= 0 {
		r, from = w.regions[b.Region], e.Regions[b.Region]
	}
	if b.Filler {
		return w.fill(r, spanOf(r.span.Lo+b.Span.Lo-from.Span.Lo, b.Span.len()))
	}
	fd, err := w.receiveDescriptor()
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), b.Name)
	defer func() { err = errors.Join(err, f.Close()) }()
	first := b.firstArea()
	cfg := &memmap.FileConfig{Prot: protOf(first.Perms)}
	off, n := first.FileOff-first.Off, b.Span.len()
	o = &object{shared: true, region: r, anonymous: b.Anonymous, readOnly: b.ReadOnly, name: b.Name, fileOff: off}
	if r != nil {
		o.m, err = r.r.MapRange(int64(b.Span.Lo-from.Span.Lo), f, int64(off), int64(n), cfg)
	} else {
		o.m, err = memmap.MapRange(f, int64(off), int64(n), cfg)
	}
	if err != nil {
		return nil, err
	}
	return w.add(o, n), o.reshape(b.Areas, first)
}

// firstArea returns an area by which the mapping's place in its file is known. If there is none, all pages will be remapped.
func (b *bequeathedMapping) firstArea() bequeathedArea {
	for _, a := range b.Areas {
		if !a.Hole && a.FileOff >= a.Off {
			return a
		}
	}
	return bequeathedArea{Perms: "---s"}
}

// reshape gives a new mapping the areas that the parent's has. What is like the first is so already.
func (o *object) reshape(areas []bequeathedArea, first bequeathedArea) error {
	for _, a := range areas {
		var err error
		switch off, n := int64(a.Off), int64(a.N); {
		case a.Hole:
			err = o.m.Unmap(off, n)
			o.holed = true
		case a.FileOff-a.Off != first.FileOff-first.Off:
			err = o.m.RemapPages(off, n, int64(a.FileOff))
			o.remapped = true
		}
		if err == nil && !a.Hole && a.Perms != first.Perms {
			err = o.m.Protect(int64(a.Off), int64(a.N), protOf(a.Perms))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// protOf is the protection that /proc/self/maps shows.
func protOf(perms string) memmap.Prot {
	var p memmap.Prot
	for i, bit := range []memmap.Prot{memmap.Read, memmap.Write, memmap.Exec} {
		if perms[i] != '-' {
			p |= bit
		}
	}
	if p == 0 {
		return memmap.None
	}
	return p
}
