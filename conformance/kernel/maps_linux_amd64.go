package kernel

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// A mapsLine is one line of /proc/PID/maps.
type mapsLine struct {
	start, end, offset uint64
	perms, path        string
}

// readMaps reads the areas of a process, in address order.
func readMaps(pid int) ([]mapsLine, error) {
	text, err := os.ReadFile(procFile(pid, "maps"))
	if err != nil {
		return nil, err
	}
	var list []mapsLine
	for line := range strings.Lines(string(text)) {
		a, err := parseMapsLine(line)
		if err != nil {
			return nil, fmt.Errorf("maps: line %q: %w", line, err)
		}
		list = append(list, a)
	}
	return list, nil
}

func procFile(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

// parseMapsLine parses "START-END PERMS OFFSET DEVICE INODE PATH".
func parseMapsLine(line string) (a mapsLine, err error) {
	var device string
	var inode uint64
	_, err = fmt.Sscanf(line, "%x-%x %s %x %s %d", &a.start, &a.end, &a.perms, &a.offset, &device, &inode)
	if f := strings.SplitN(strings.TrimSpace(line), " ", 6); len(f) == 6 {
		a.path = strings.TrimSpace(strings.TrimLeft(f[5], " "))
	}
	return a, err
}

// object says what an area shows, in the words of the case.
func (s *session) object(a mapsLine) string {
	path, deleted := strings.CutSuffix(a.path, " (deleted)")
	memfd, isMemfd := strings.CutPrefix(path, "/memfd:")
	switch {
	case isMemfd:
		return memfd
	case path == "" || strings.HasPrefix(path, "["):
		return a.anonymous()
	case deleted && (path == "/dev/zero" || path == "/anon_hugepage"):
		return a.anonymous() // the kernel's own names for anonymous memory that has a file inside
	}
	return s.name(path)
}

func (a mapsLine) anonymous() string {
	if strings.HasSuffix(a.perms, "s") {
		return "shm"
	}
	return "anon"
}

// areas lists what lies between lo and hi, holes included.
func (s *session) areas(p *process, lo, hi uint64) ([]conformance.Area, error) {
	lines, err := readMaps(p.pid)
	if err != nil {
		return nil, err
	}
	var list []conformance.Area
	at := lo
	for _, a := range lines {
		start, end := max(a.start, lo), min(a.end, hi)
		if start >= end {
			continue
		}
		if at < start {
			list = append(list, hole(start-at))
		}
		list = append(list, s.area(a, start, end))
		at = end
	}
	if at < hi {
		list = append(list, hole(hi-at))
	}
	return list, nil
}

func hole(n uint64) conformance.Area { return conformance.Area{Object: "hole", Len: n} }

// area is the part of a from start to end.
func (s *session) area(a mapsLine, start, end uint64) conformance.Area {
	area := conformance.Area{Perms: a.perms, Object: s.object(a), Len: end - start}
	if area.Object != "anon" && area.Object != "shm" {
		area.Off = a.offset + start - a.start
	}
	return area
}

// vmFlags returns the VmFlags of the area that holds addr.
func vmFlags(pid int, addr uint64) ([]string, error) {
	text, err := os.ReadFile(procFile(pid, "smaps"))
	if err != nil {
		return nil, err
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		if a, err := parseMapsLine(line); err == nil {
			inside = a.start <= addr && addr < a.end
		} else if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			return strings.Fields(flags), nil
		}
	}
	return nil, fmt.Errorf("no area at %#x", addr)
}

// The bits of an entry of /proc/PID/pagemap; Documentation/admin-guide/mm/pagemap.rst of the kernel.
const (
	pagemapPresent = 1 << 63
	pagemapSwapped = 1 << 62
	pagemapGuard   = 1 << 58 // a guard page says that it is swapped, but there is nothing
)

// present tells of n pages from addr on which are in the page table.
func present(pid int, addr, n uint64) (string, error) {
	f, err := os.Open(procFile(pid, "pagemap"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	entries := make([]byte, 8*n)
	if _, err := f.ReadAt(entries, int64(addr/uint64(sys.PageSize)*8)); err != nil && err != io.EOF {
		return "", err
	}
	bits := make([]bool, n)
	for i := range bits {
		e := binary.LittleEndian.Uint64(entries[8*i:])
		bits[i] = e&(pagemapPresent|pagemapSwapped) != 0 && e&pagemapGuard == 0
	}
	return pageString(bits), nil
}

// pageString writes one of '0' and '1' a page.
func pageString(bits []bool) string {
	var b strings.Builder
	for _, set := range bits {
		if set {
			b.WriteByte('1')
		} else {
			b.WriteByte('0')
		}
	}
	return b.String()
}

// status returns a field of /proc/PID/status.
func status(pid int, field string) (string, error) {
	text, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("status has no %s", field)
}
