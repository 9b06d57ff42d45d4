package library

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/memmap-go/memmap"
	"github.com/memmap-go/memmap/conformance"
)

// What /proc says about this process's memory.

// A mapsLine is one line of /proc/self/maps.
type mapsLine struct {
	span   span
	perms  string
	offset uint64
	path   string
}

// readMaps reads the areas of this process, in address order.
func readMaps() ([]mapsLine, error) {
	text, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	var list []mapsLine
	for line := range strings.Lines(string(text)) {
		l, err := parseMapsLine(line)
		if err != nil {
			return nil, fmt.Errorf("/proc/self/maps: line %q: %w", line, err)
		}
		list = append(list, l)
	}
	return list, nil
}

// parseMapsLine parses "START-END PERMS OFFSET DEVICE INODE PATH".
func parseMapsLine(line string) (l mapsLine, err error) {
	f := strings.SplitN(strings.TrimSpace(line), " ", 6)
	if len(f) < 5 {
		return l, errors.New("too few fields")
	}
	if len(f) == 6 {
		l.path = strings.TrimSpace(f[5])
	}
	l.perms = f[1]
	_, err = fmt.Sscanf(f[0]+" "+f[2], "%x-%x %x", &l.span.Lo, &l.span.Hi, &l.offset)
	return l, err
}

// area is the part of an area in s, in the words of the case.
func (w *worker) area(l mapsLine, s span) conformance.Area {
	a := conformance.Area{Perms: l.perms, Object: w.object(l), Len: s.len()}
	if a.Object != "anon" && a.Object != "shm" {
		a.Off = l.offset + s.Lo - l.span.Lo
	}
	return a
}

// object says what an area shows.
func (w *worker) object(l mapsLine) string {
	path, deleted := strings.CutSuffix(l.path, " (deleted)")
	memory, isMemory := strings.CutPrefix(path, "/memfd:")
	switch {
	case isMemory && memory != sharedName:
		return memory
	case isMemory, path == "", strings.HasPrefix(path, "["), deleted && (path == "/dev/zero" || path == "/anon_hugepage"):
		if strings.HasSuffix(l.perms, "s") {
			return "shm"
		}
		return "anon"
	}
	return w.name(path)
}

func hole(n uint64) conformance.Area { return conformance.Area{Object: "hole", Len: n} }

func areas(w *worker, s *step) (conformance.Result, error) {
	about := aboutRange(s)[0]
	for _, o := range w.inside(about) {
		if o.grownElsewhere {
			return conformance.Result{}, refuse("a private mapping that moved to grow may be two areas, by design")
		}
	}
	list, err := w.shape(about)
	return conformance.Areas(list), err
}

// shape lists the areas in a range of the case's addresses.
//
// The library leaves inaccessible memory behind where the kernel leaves a hole, and /proc doesn't tell it from a mapping
// without access. The library does: no mapping has the addresses any more, or the mapping says ErrUnmapped.
func (w *worker) shape(s span) ([]conformance.Area, error) {
	if _, err := w.pieces(s); err != nil {
		return nil, err
	}
	lines, err := readMaps()
	if err != nil {
		return nil, err
	}
	var list []conformance.Area
	at := s.Lo
	for _, l := range lines {
		part := s.clip(l.span)
		if part.Lo >= part.Hi {
			continue
		}
		if at < part.Lo {
			list = append(list, hole(part.Lo-at))
		}
		if list, err = w.appendArea(list, l, part); err != nil {
			return nil, err
		}
		at = part.Hi
	}
	if at < s.Hi {
		list = append(list, hole(s.Hi-at))
	}
	return joinHoles(list), nil
}

// appendArea appends one area, cut where parts of it are holes.
func (w *worker) appendArea(list []conformance.Area, l mapsLine, s span) ([]conformance.Area, error) {
	if !strings.HasPrefix(l.perms, "---") {
		return append(list, w.area(l, s)), nil
	}
	first := len(list)
	for at := s.Lo; at < s.Hi; {
		isHole, n, err := w.holeAt(span{at, s.Hi})
		if err != nil {
			return nil, err
		}
		part := w.area(l, spanOf(at, n))
		if isHole {
			part = hole(n)
		}
		if last := len(list) - 1; last >= first && list[last].Perms == part.Perms {
			list[last].Len += n
		} else {
			list = append(list, part)
		}
		at += n
	}
	return list, nil
}

// holeAt reports whether the inaccessible memory at the beginning of s is a hole, and for how many bytes that is known.
func (w *worker) holeAt(s span) (isHole bool, n uint64, err error) {
	p, err := w.pieceAt(s)
	if err != nil || !p.live {
		return true, p.span.len(), err
	}
	if !p.o.holed {
		return false, p.span.len(), nil
	}
	if err := w.reveal(p.o, p.off()+1); err != nil {
		return false, 0, err
	}
	_, err = p.o.m.ReadAt(make([]byte, 1), p.off())
	if !errors.Is(err, memmap.ErrUnmapped) && !errors.Is(err, memmap.ErrProtected) {
		return false, 0, fmt.Errorf("memory that /proc shows as inaccessible: reading it gave %v", err)
	}
	return errors.Is(err, memmap.ErrUnmapped), min(w.page, p.span.len()), nil
}

// joinHoles makes one of neighbouring holes.
func joinHoles(list []conformance.Area) []conformance.Area {
	var out []conformance.Area
	for _, a := range list {
		if i := len(out) - 1; i >= 0 && a.Perms == "" && out[i].Perms == "" {
			out[i].Len += a.Len
			continue
		}
		out = append(out, a)
	}
	return out
}

// vmFlags gives the VmFlags of the area that holds the address.
func vmFlags(w *worker, s *step) (conformance.Result, error) {
	addr := s.Args[0].Value
	if w.live(addr) == nil {
		return conformance.Result{}, refuse("no mapping of the case has the address")
	}
	flags, err := readFlags(addr)
	return conformance.VMFlags(flags), err
}

// hasFlag reports whether the area that holds the address has a flag.
func (w *worker) hasFlag(addr uint64, flag string) (bool, error) {
	flags, err := readFlags(addr)
	return slices.Contains(flags, flag), err
}

func readFlags(addr uint64) ([]string, error) {
	flags, err := readField(addr, "VmFlags")
	return strings.Fields(flags), err
}

// pageSize is the size of the pages that the memory at an address is made of.
func pageSize(addr uint64) (uint64, error) {
	text, err := readField(addr, "KernelPageSize")
	if err != nil {
		return 0, err
	}
	kb, err := strconv.ParseUint(strings.TrimSuffix(text, " kB"), 10, 64)
	return kb << 10, err
}

// readField returns what /proc/self/smaps has for the area that holds the address.
func readField(addr uint64, name string) (string, error) {
	text, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return "", err
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+":"); ok && inside {
			return strings.TrimSpace(value), nil
		} else if l, err := parseMapsLine(line); err == nil {
			inside = l.span.holds(addr)
		}
	}
	return "", fmt.Errorf("/proc/self/smaps has no %s of an area at %#x", name, addr)
}

// The bits of an entry of /proc/PID/pagemap; Documentation/admin-guide/mm/pagemap.rst of the kernel.
const (
	pagemapPresent = 1 << 63
	pagemapSwapped = 1 << 62
	pagemapGuard   = 1 << 58 // a guard page says that it is swapped, but there is nothing
)

// present tells which pages are in this process's page table.
func present(w *worker, s *step) (conformance.Result, error) {
	about := aboutRange(s)[0]
	if _, err := w.pieces(about); err != nil {
		return conformance.Result{}, err
	}
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return conformance.Result{}, err
	}
	entries := make([]byte, roundUp(about.len(), w.page)/w.page*8)
	_, err = f.ReadAt(entries, int64(about.Lo/w.page*8))
	if err := errors.Join(err, f.Close()); err != nil && err != io.EOF {
		return conformance.Result{}, err
	}
	var pages []bool
	for e := range slices.Chunk(entries, 8) {
		bits := binary.NativeEndian.Uint64(e)
		pages = append(pages, bits&(pagemapPresent|pagemapSwapped) != 0 && bits&pagemapGuard == 0)
	}
	return conformance.Pages(pageString(pages)), nil
}

// pageString writes one of '0' and '1' a page.
func pageString(pages []bool) string {
	var b strings.Builder
	for _, set := range pages {
		if set {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}
