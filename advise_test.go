//go:build linux

package memmap

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// TestDiscard throws away the middle page of three, of each kind in each way.
func TestDiscard(t *testing.T) {
	const (
		kept   = "kept"
		zero   = "zero"
		inFile = "the file's"
	)
	tests := []struct {
		kind string
		how  Discarding
		page string // what the page holds afterwards
		err  error
	}{
		{"private anonymous", DropPages, zero, nil},
		{"private file", DropPages, inFile, nil},
		{"shared anonymous", DropPages, kept, nil},
		{"shared file", DropPages, kept, nil},
		{"private file", DropLazily, kept, sys.EINVAL},
		{"shared anonymous", DropLazily, kept, sys.EINVAL},
		{"shared file", DropLazily, kept, sys.EINVAL},
		{"private anonymous", PunchHole, kept, sys.EINVAL},
		{"private file", PunchHole, kept, sys.EACCES},
		{"shared anonymous", PunchHole, zero, nil},
		{"shared file", PunchHole, zero, nil},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.kind, " ", tt.how), func(t *testing.T) {
			checkLeaks(t)
			k := kinds[slices.IndexFunc(kinds, func(k kind) bool { return k.name == tt.kind })]
			m := k.place(t, mustReserve(t, 3*pageSize), 0, 3*pageSize, Read|Write)
			want := scribble(t, m)
			switch tt.page {
			case zero:
				clear(want[pageSize : 2*pageSize])
			case inFile:
				copy(want[pageSize:], k.beyond(pageSize, pageSize))
			}
			err := m.Discard(pageSize, pageSize, tt.how)
			if tt.err != nil {
				wantError(t, err, "discard", tt.err)
			} else {
				must(t, err)
			}
			wantBytes(t, "mapping", m.Bytes(), want)
		})
	}
}

// TestDropLazily looks at what the kernel has marked as free to take. Until it
// does, the pages keep what they hold; storing keeps a page.
func TestDropLazily(t *testing.T) {
	checkLeaks(t)
	const pages = 256 // more than the kernel gathers before it marks any
	m := mustMap(t)(Anonymous(pages*pageSize, nil))
	must(t, m.Advise(0, m.Len(), NoHugePage))
	want := scribble(t, m)
	must(t, m.Discard(0, m.Len(), DropLazily))
	if got := smapsBytes(t, m, "LazyFree"); got == 0 {
		t.Error("no page is free to take")
	}
	m.Bytes()[0]++
	want[0]++
	must(t, m.Advise(0, m.Len(), PageOut)) // takes them
	taken := 0
	for page := range int64(pages) {
		got, want := m.Bytes()[page*pageSize:][:pageSize], want[page*pageSize:][:pageSize]
		switch {
		case page > 0 && bytes.Equal(got, make([]byte, pageSize)):
			taken++
		case !bytes.Equal(got[1:], want[1:]) && page > 0:
			t.Errorf("page %d has neither its contents nor zeros", page)
		case got[0] != want[0]:
			t.Errorf("page %d has lost what was stored since", page)
		}
	}
	if taken == 0 {
		t.Error("no page was taken")
	}
}

// smapsBytes adds up a size in /proc/self/smaps, of the areas of a mapping.
func smapsBytes(t *testing.T, m *Mapping, name string) (sum int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	must(t, err)
	pages, ours := m.now.Load().pages, false
	for line := range strings.Lines(string(text)) {
		var lo, hi uintptr
		var kB int64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &lo, &hi); n == 2 {
			ours = pages.holds(lo)
		} else if value, ok := strings.CutPrefix(line, name+":"); ok && ours {
			_, err := fmt.Sscanf(value, "%d kB", &kB)
			must(t, err)
			sum += kB << 10
		}
	}
	return sum
}

// TestDropPagesFrees gives memory back to the system.
func TestDropPagesFrees(t *testing.T) {
	checkLeaks(t)
	const n = 16 << 20
	m := mustMap(t)(Anonymous(n, &AnonConfig{Populate: true}))
	if got := smapsBytes(t, m, "Rss"); got != n {
		t.Fatalf("populated: got %d bytes resident, want %d", got, n)
	}
	must(t, m.Discard(0, n, DropPages))
	if got := smapsBytes(t, m, "Rss"); got != 0 {
		t.Errorf("got %d bytes resident, want none", got)
	}
}

// TestPunchHole frees blocks of the file, and everyone sees it.
func TestPunchHole(t *testing.T) {
	checkLeaks(t)
	f := makeFile(t, pattern(64*pageSize))
	must(t, f.Sync())
	blocks := func() int64 {
		t.Helper()
		var st syscall.Stat_t
		must(t, syscall.Fstat(int(f.Fd()), &st))
		return st.Blocks * 512
	}
	m := mustMap(t)(Map(f, &FileConfig{Prot: Read | Write}))
	other := mustMap(t)(Map(f, nil))
	before := blocks()
	must(t, m.Discard(16*pageSize, 32*pageSize, PunchHole))
	if got := before - blocks(); got < 16*pageSize {
		t.Errorf("%d bytes of blocks were freed, want about %d", got, 32*pageSize)
	}
	want := pattern(64 * pageSize)
	clear(want[16*pageSize : 48*pageSize])
	wantBytes(t, "other mapping", other.Bytes(), want)
	wantBytes(t, "file", contents(t, f.Name()), want)
}

func TestDiscardErrors(t *testing.T) {
	checkLeaks(t)
	needLock(t, pageSize)
	f := makeFile(t, pattern(3*pageSize))
	readOnly := mustMap(t)(Map(openFile(t, f.Name(), os.O_RDONLY), nil))
	wantError(t, readOnly.Discard(0, pageSize, PunchHole), "discard", sys.EACCES)
	wantError(t, readOnly.Discard(0, pageSize, PunchHole+1), "discard", sys.EINVAL)
	wantError(t, readOnly.Discard(0, 4*pageSize, DropPages), "discard", ErrRange)

	m := mustMap(t)(Anonymous(3*pageSize, nil))
	want := scribble(t, m)
	must(t, m.Lock(pageSize, pageSize, LockNow))
	for _, how := range []Discarding{DropPages, DropLazily} {
		e := wantError(t, m.Discard(0, 3*pageSize, how), "discard", sys.EINVAL)
		if !strings.Contains(e.Error(), "locked") {
			t.Errorf("got %q, which doesn't say why", e)
		}
	}
	wantBytes(t, "before the locked page", m.Bytes(), want)
	must(t, m.Close())
	wantError(t, m.Discard(0, 0, DropPages), "discard", ErrClosed)
}

func TestAdviceString(t *testing.T) {
	seen := make(map[string]bool)
	for a := Normal; a <= DoFork; a++ {
		name := a.String()
		if seen[name] || name == "" || strings.Contains(name, "(") {
			t.Errorf("advice %d is called %q", uint8(a), name)
		}
		seen[name] = true
	}
	for a, want := range map[Advice]string{
		Normal: "normal", WillNeed: "willneed", NoHugePage: "nohugepage", DontFork: "dontfork", DoFork + 1: "Advice(15)",
	} {
		if got := a.String(); got != want {
			t.Errorf("%d: got %q, want %q", uint8(a), got, want)
		}
	}
}

// TestAdvise gives each advice, and looks for what /proc/self/smaps calls it.
func TestAdvise(t *testing.T) {
	tests := []struct {
		advice  Advice
		flag    string // "" if none shows
		without bool   // the flag must not be there
	}{
		{Sequential, "sr", false},
		{Normal, "sr", true},
		{Random, "rr", false},
		{Normal, "rr", true},
		{WillNeed, "", false},
		{Cold, "", false},
		{HugePage, "hg", false},
		{NoHugePage, "nh", false},
		{Mergeable, "mg", false},
		{Unmergeable, "mg", true},
		{DontDump, "dd", false},
		{DoDump, "dd", true},
		{DontFork, "dc", false},
		{DoFork, "dc", true},
	}
	checkLeaks(t)
	m := mustMap(t)(Anonymous(3*pageSize, nil))
	want := scribble(t, m)
	for _, tt := range tests {
		// Not aligned: the whole page gets the advice.
		err := m.Advise(pageSize+1, 1, tt.advice)
		if errors.Is(err, sys.EINVAL) {
			t.Logf("%v: %v", tt.advice, err) // a kernel built without it
			continue
		}
		must(t, err)
		if tt.flag == "" {
			continue
		}
		flags := areaFlags(t, m)
		if got := strings.Contains(flags[1], tt.flag); got == tt.without {
			t.Errorf("%v: flags are %q, of which %q should be there: %v", tt.advice, flags[1], tt.flag, !tt.without)
		}
		if strings.Contains(flags[0], tt.flag) || strings.Contains(flags[2], tt.flag) {
			t.Errorf("%v: the neighbours got it: %q", tt.advice, flags)
		}
	}
	wantBytes(t, "after all advice", m.Bytes(), want)
}

// areaFlags returns for each page of a mapping the flags of its area.
func areaFlags(t *testing.T, m *Mapping) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/smaps")
	must(t, err)
	var all []string
	pages, n := m.now.Load().pages, 0
	for line := range strings.Lines(string(text)) {
		var lo, hi uintptr
		if got, _ := fmt.Sscanf(line, "%x-%x ", &lo, &hi); got == 2 {
			n = 0
			for at := max(lo, pages.addr); at < min(hi, pages.end()); at += uintptr(pageSize) {
				n++
			}
		} else if flags, ok := strings.CutPrefix(line, "VmFlags: "); ok {
			for range n {
				all = append(all, flags)
			}
		}
	}
	return all
}

// TestAdvisePageOut puts pages of a file out of memory, as far as this process
// has them, and they come back by themselves.
func TestAdvisePageOut(t *testing.T) {
	checkLeaks(t)
	want := pattern(16 * pageSize)
	f := makeFile(t, want)
	must(t, f.Sync())
	m := mustMap(t)(Map(f, &FileConfig{Populate: true}))
	before := smapsBytes(t, m, "Rss")
	must(t, m.Advise(0, m.Len(), PageOut))
	if got := smapsBytes(t, m, "Rss"); before == 0 || got >= before {
		t.Errorf("got %d bytes resident, had %d", got, before)
	}
	wantBytes(t, "after PageOut", m.Bytes(), want)
}

// TestAdviseHugePage gets a huge page where the system gives them by advice.
func TestAdviseHugePage(t *testing.T) {
	checkLeaks(t)
	mode, err := os.ReadFile("/sys/kernel/mm/transparent_hugepage/enabled")
	if err != nil || strings.Contains(string(mode), "[never]") {
		t.Skipf("no transparent huge pages: %s", mode)
	}
	// The arena places long mappings at a boundary of huge pages.
	m := mustMap(t)(Anonymous(4*transparentHuge, nil))
	must(t, m.Advise(0, m.Len(), HugePage))
	m.Bytes()[0] = 1
	if got := smapsBytes(t, m, "AnonHugePages"); got == 0 {
		t.Errorf("got no huge page at %p", m.Bytes())
	}
}

func TestAdviseErrors(t *testing.T) {
	checkLeaks(t)
	m := mustMap(t)(Anonymous(3*pageSize, nil))
	wantError(t, m.Advise(0, 1, DoFork+1), "advise", sys.EINVAL)
	wantError(t, m.Advise(0, 3*pageSize+1, Normal), "advise", ErrRange)
	// What lies behind a hole gets the advice, too.
	must(t, m.Unmap(0, pageSize))
	wantError(t, m.Advise(0, 3*pageSize, DontDump), "advise", ErrUnmapped)
	if flags := areaFlags(t, m); !strings.Contains(flags[1], "dd") || !strings.Contains(flags[2], "dd") {
		t.Errorf("flags are %q", flags)
	}
	// A mapping of a file can't be merged, which some kernels say.
	file := mustMap(t)(Open(makePath(t, pattern(1)), nil))
	if err := file.Advise(0, 1, Mergeable); err != nil && !errors.Is(err, sys.EINVAL) {
		t.Error(err)
	}
	must(t, m.Close())
	wantError(t, m.Advise(0, 0, Normal), "advise", ErrClosed)
}

// TestAdviceStays gives advice for the second page of two, and finds it there after
// everything that maps pages anew.
func TestAdviceStays(t *testing.T) {
	tests := []struct {
		name   string
		change func(t *testing.T, m *Mapping) *Mapping
		flags  []string // of the pages then
	}{
		{"remap", func(t *testing.T, m *Mapping) *Mapping { must(t, m.Remap(4*pageSize)); return m }, []string{"", "dd rr", "dd rr", "dd rr"}},
		{"move", func(t *testing.T, m *Mapping) *Mapping {
			return mustMap(t)(mustReserve(t, 2*pageSize).Move(0, m))
		}, []string{"", "dd rr"}},
		{"alias", func(t *testing.T, m *Mapping) *Mapping { return mustMap(t)(m.Alias()) }, []string{"", "dd rr"}},
		{"remap pages", func(t *testing.T, m *Mapping) *Mapping {
			must(t, m.RemapPages(pageSize, pageSize, 0))
			return m
		}, []string{"", "dd rr"}},
		{"resize", func(t *testing.T, m *Mapping) *Mapping { must(t, m.Resize(3*pageSize)); return m }, []string{"", "dd rr", "dd rr"}},
		{"unmap and remap", func(t *testing.T, m *Mapping) *Mapping {
			must(t, m.Unmap(pageSize, pageSize))
			must(t, m.RemapPages(0, pageSize, 0))
			return m
		}, []string{""}},
	}
	for _, k := range kinds {
		for _, tt := range tests {
			private := k.name == "private anonymous" || k.name == "private file"
			if private && (tt.name == "alias" || strings.HasSuffix(tt.name, "remap pages") || strings.HasSuffix(tt.name, "and remap")) {
				continue
			}
			t.Run(k.name+" "+tt.name, func(t *testing.T) {
				checkLeaks(t)
				r := mustReserve(t, 3*pageSize)
				m := k.place(t, r, 0, 2*pageSize, Read|Write)
				must(t, m.Advise(pageSize, pageSize, DontDump))
				must(t, m.Advise(pageSize, pageSize, Random))
				must(t, m.Advise(pageSize, pageSize, WillNeed)) // doesn't stay, and drives nothing out
				m = tt.change(t, m)
				for i, flags := range areaFlags(t, m)[:len(tt.flags)] {
					for _, flag := range []string{"dd", "rr"} {
						if got, want := strings.Contains(flags, flag), strings.Contains(tt.flags[i], flag); got != want {
							t.Errorf("page %d: flags are %q, of which %s should be there: %v", i, flags, flag, want)
						}
					}
				}
			})
		}
	}
}

// TestPunchHoleAround punches what the mapping shows of a file, in pages that hold
// more of it: the rest must stay.
func TestPunchHoleAround(t *testing.T) {
	checkLeaks(t)
	content := pattern(2*pageSize + 50)
	tests := []struct {
		off, n int64
		err    error
	}{
		{100, 100, errPartialPage},
		{0, 100, errPartialPage},
		{pageSize, 100, errPartialPage},
		{100, pageSize - 100, errPartialPage},
		{pageSize, pageSize, nil},
		{pageSize, pageSize + 50, nil}, // the end of the file
		{2 * pageSize, 49, errPartialPage},
	}
	for _, tt := range tests {
		f := makeFile(t, content)
		m := mustMap(t)(MapRange(f, tt.off, tt.n, &FileConfig{Prot: Read | Write}))
		want := slices.Clone(content)
		if err := m.Discard(0, tt.n, PunchHole); tt.err != nil {
			wantError(t, err, "discard", tt.err)
		} else {
			must(t, err)
			clear(want[tt.off:][:tt.n])
		}
		wantBytes(t, fmt.Sprintf("the file, after [%d, +%d)", tt.off, tt.n), contents(t, f.Name()), want)
	}
}
