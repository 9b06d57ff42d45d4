package memmap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/memmap-go/memmap/internal/race"
	"github.com/memmap-go/memmap/internal/sys"
)

// wantPanic runs fn and returns what it panicked with.
func wantPanic(t *testing.T, fn func()) (value any) {
	t.Helper()
	defer func() {
		t.Helper()
		if value = recover(); value == nil {
			t.Error("got no panic")
		}
	}()
	fn()
	return nil
}

// makeTruncated returns a mapping of two pages, of which the file has lost the
// second.
func makeTruncated(t *testing.T, cfg FileConfig) *Mapping {
	t.Helper()
	needMappings(t)
	f := makeFile(t, pattern(2*pageSize))
	m := mustMap(t)(Map(f, &cfg))
	if err := f.Truncate(pageSize); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGuard(t *testing.T) {
	checkLeaks(t)
	good := mustMap(t)(Open(makePath(t, pattern(100)), nil))
	bad := makeTruncated(t, FileConfig{})
	if err := Guard(func() error { return nil }, good, bad); err != nil {
		t.Errorf("nothing done: %v", err)
	}
	own := errors.New("fn's own")
	if err := Guard(func() error { return own }, good, bad); err != own {
		t.Errorf("got error %v, want %v itself", err, own)
	}
	if err := Guard(func() error { return own }); err != own {
		t.Errorf("without mappings: got error %v, want %v itself", err, own)
	}
	at := pageSize + 5
	err := Guard(func() error {
		touched = good.Bytes()[5]
		touched = bad.Bytes()[at]
		return own
	}, good, bad)
	if e := wantError(t, err, "guard", ErrFault, ErrTruncated); e.Off != at || e.Len != 1 || e.Name != bad.Name() {
		t.Errorf("got error %+v, want offset %d of %s", e, at, bad.Name())
	}
}

// TestGuardCovers does all works on bytes of which all, or all but the first, can't be accessed.
func TestGuardCovers(t *testing.T) {
	checkLeaks(t)
	good := mustMap(t)(Anonymous(pageSize, nil))
	m := makeTruncated(t, FileConfig{Prot: Read | Write})
	for _, work := range works {
		if race.Enabled && work.kind == notByRacer {
			continue // TestDeadlyRace
		}
		t.Run(work.name, func(t *testing.T) {
			for fine := range int64(2) {
				begin := pageSize - fine
				bad := m.Bytes()[begin:][:2*shortest]
				copy(bad[:fine], "a") // what came before may have stored there
				var err error
				onFreshStack(func() {
					err = Guard(func() error { work.do(newDesk(pageSize), bad, good.Bytes()); return nil }, good, m)
				})
				if work.kind == endsIt {
					continue // TestGuardGoexit
				}
				if e := wantError(t, err, "guard", ErrFault, ErrTruncated); e.Off < pageSize || e.Off >= begin+2*shortest {
					t.Errorf("got Off %d, want one in the second page", e.Off)
				}
			}
		})
	}
}

// deep calls fn with n frames in between, so that the stack grows.
func deep(n int, fn func()) {
	var frame [100]byte
	if n == 0 {
		fn()
	} else {
		deep(n-1, fn)
	}
	runtime.KeepAlive(&frame)
}

func sum(b []byte) {
	var s byte
	for _, x := range b {
		s += x
	}
	touched = s
}

// TestGuardCauses is TestAccessCauses for raw access, of which the guard doesn't
// know whether it was a load or a store.
func TestGuardCauses(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	p := pageSize
	m := mustMap(t)(Map(makeFile(t, pattern(5*p)), &FileConfig{Prot: Read | Write}))
	for _, err := range []error{m.Protect(p, p, None), m.Protect(2*p, p, Read), m.Unmap(3*p, p)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		off   int64
		store bool
		want  error
	}{
		{0, false, nil}, {0, true, nil},
		{p, false, ErrProtected}, {p + 7, true, ErrProtected},
		{2 * p, false, nil}, {2*p + 7, true, ErrProtected},
		{3 * p, false, ErrUnmapped}, {4*p - 1, true, ErrUnmapped},
		{4 * p, true, nil},
	}
	for _, tt := range tests {
		b := m.Bytes()
		err := Guard(func() error {
			if tt.store {
				b[tt.off] = 1
			} else {
				touched = b[tt.off]
			}
			return nil
		}, m)
		if tt.want == nil {
			if err != nil {
				t.Errorf("at %d, store %v: %v", tt.off, tt.store, err)
			}
			continue
		}
		if e := wantError(t, err, "guard", ErrFault, tt.want); e.Off != tt.off {
			t.Errorf("got Off %d, want %d", e.Off, tt.off)
		}
	}
}

// TestGuardUnaligned counts offsets from the mapping's first byte.
func TestGuardUnaligned(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	f := makeFile(t, pattern(2*pageSize))
	m := mustMap(t)(MapRange(f, 100, pageSize, nil))
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	b := m.Bytes()
	read := func() error { touched = b[7]; return nil }
	if e := wantError(t, Guard(read, m), "guard", ErrTruncated); e.Off != 7 {
		t.Errorf("truncated: got Off %d, want 7", e.Off)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if e := wantError(t, Guard(read, m), "guard", ErrClosed); e.Off != 7 {
		t.Errorf("closed: got Off %d, want 7", e.Off)
	}
}

func TestGuardNested(t *testing.T) {
	checkLeaks(t)
	outer, inner := makeTruncated(t, FileConfig{}), makeTruncated(t, FileConfig{})
	touch := func(m *Mapping) func() error {
		b := m.Bytes()
		return func() error { touched = b[pageSize]; return nil }
	}
	// The inner guard's own fault ends there.
	var within error
	err := Guard(func() error {
		within = Guard(touch(inner), inner)
		return nil
	}, outer)
	if err != nil {
		t.Errorf("the outer guard got %v, want nothing", err)
	}
	if e := wantError(t, within, "guard", ErrTruncated); e.Name != inner.Name() {
		t.Errorf("got the fault of %s, want that of %s", e.Name, inner.Name())
	}
	// The outer one's fault passes the inner guard.
	passed := true
	err = Guard(func() error {
		err := Guard(touch(outer), inner)
		passed = false
		return err
	}, outer)
	if e := wantError(t, err, "guard", ErrTruncated); e.Name != outer.Name() || !passed {
		t.Errorf("got the fault of %s, passed on %v; want that of %s", e.Name, passed, outer.Name())
	}
	// After the inner guard, the outer one still guards.
	err = Guard(func() error {
		if err := Guard(touch(inner), inner); err == nil {
			t.Error("the inner guard got nothing")
		}
		return touch(outer)()
	}, outer)
	wantError(t, err, "guard", ErrTruncated)
}

// addressed panics like a fault, but isn't one.
type addressed struct{ addr uintptr }

func (a addressed) Addr() uintptr { return a.addr }

// TestGuardForeignPanic wants all other panics to go on as they are.
func TestGuardForeignPanic(t *testing.T) {
	checkLeaks(t)
	m, other := makeTruncated(t, FileConfig{}), makeTruncated(t, FileConfig{})
	own := errors.New("own")
	pages := m.now.Load().pages
	values := map[string]any{
		"error": own, "string": "text", "pointer": &own, "address": addressed{pages.addr},
	}
	for name, value := range values {
		if got := wantPanic(t, func() { _ = Guard(func() error { panic(value) }, m) }); got != value {
			t.Errorf("%s: got panic %v, want %v itself", name, got, value)
		}
	}
	var none *[10]byte
	i := 100
	faulty := map[string]func(){
		"nil dereference":    func() { touched = none[3] },
		"index out of range": func() { touched = m.Bytes()[:i][i] },
		"other mapping":      func() { touched = other.Bytes()[pageSize] },
	}
	for name, do := range faulty {
		got := wantPanic(t, func() {
			if err := Guard(func() error { do(); return nil }, m); err != nil {
				t.Errorf("%s: got error %v, want a panic", name, err)
			}
		})
		if _, ok := got.(runtime.Error); !ok {
			t.Errorf("%s: got panic %v (%[2]T), want the runtime's", name, got)
		}
	}
}

// TestGuardGoexit ends the goroutine inside.
func TestGuardGoexit(t *testing.T) {
	checkLeaks(t)
	m := makeTruncated(t, FileConfig{})
	returned, setting := false, true
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { setting = debug.SetPanicOnFault(false) }()
		err := Guard(func() error { runtime.Goexit(); return nil }, m)
		returned = true
		t.Error(err)
	}()
	<-done
	if returned || setting {
		t.Errorf("Guard returned: %v, the setting was left on: %v; want neither", returned, setting)
	}
}

// TestPanicOnFaultSetting wants the goroutine's setting to be as it was after
// every end that guarded code can have.
func TestPanicOnFaultSetting(t *testing.T) {
	checkLeaks(t)
	m := makeTruncated(t, FileConfig{Prot: Read | Write})
	b := make([]byte, m.Len())
	ends := map[string]func() error{
		"guard, nil":   func() error { return Guard(func() error { return nil }, m) },
		"guard, error": func() error { return Guard(func() error { return os.ErrExist }, m) },
		"guard, fault": func() error { return Guard(func() error { sum(m.Bytes()); return nil }, m) },
		"guard, panic": func() error {
			wantPanic(t, func() { _ = Guard(func() error { panic("on") }, m) })
			return nil
		},
		"guard, changed inside": func() error {
			return Guard(func() error { debug.SetPanicOnFault(false); return nil }, m)
		},
		"read":         func() error { _, err := m.ReadAt(b[:10], 0); return err },
		"read, fault":  func() error { _, err := m.ReadAt(b, 0); return err },
		"write":        func() error { _, err := m.WriteAt(b[:10], 0); return err },
		"write, fault": func() error { _, err := m.WriteAt(b, 0); return err },
		"touch, fault": func() error { return touchPages(m.now.Load().pages, false) },
	}
	for name, do := range ends {
		for _, want := range []bool{false, true} {
			old := debug.SetPanicOnFault(want)
			err := do()
			if got := debug.SetPanicOnFault(old); got != want {
				t.Errorf("%s (%v): the setting is %v, want %v", name, err, got, want)
			}
		}
	}
}

// TestGuardStale uses a slice after Close and after Remap.
func TestGuardStale(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(3*pageSize)), nil))
	other := mustMap(t)(Map(makeFile(t, pattern(3*pageSize)), nil))
	stale := m.Bytes()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	err := Guard(func() error { touched = stale[pageSize+3]; return nil }, other, m)
	if e := wantError(t, err, "guard", ErrFault, ErrClosed); e.Off != pageSize+3 || e.Name != m.Name() {
		t.Errorf("closed: got error %+v, want offset %d of %s", e, pageSize+3, m.Name())
	}
	if n, err := m.ReadAt(make([]byte, 1), 0); n != 0 || !errors.Is(err, ErrClosed) {
		t.Errorf("ReadAt: got %d, %v; want 0, ErrClosed", n, err)
	}
}

func TestGuardStaleAfterRemap(t *testing.T) {
	needLinux(t)
	checkLeaks(t)
	r, err := Reserve(2 * pageSize)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	m := mustMap(t)(r.Anonymous(0, 2*pageSize, nil))
	stale := m.Bytes()
	if err := m.Remap(20 * pageSize); err != nil {
		t.Fatal(err)
	}
	err = Guard(func() error { touched = stale[3]; return nil }, m)
	if e := wantError(t, err, "guard", ErrFault, ErrMoved); e.Off != 3 {
		t.Errorf("got Off %d, want 3", e.Off)
	}
	// Shrinking leaves a place, too.
	stale = m.Bytes()
	if err := m.Remap(pageSize); err != nil {
		t.Fatal(err)
	}
	err = Guard(func() error { touched = stale[5*pageSize]; return nil }, m)
	if e := wantError(t, err, "guard", ErrFault, ErrMoved); e.Off != 5*pageSize {
		t.Errorf("cut off: got Off %d, want %d", e.Off, 5*pageSize)
	}
}

// TestGuardReusedAddress has a fault where two mappings have been, one after the
// other. It is that of the one that is there now.
func TestGuardReusedAddress(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	r, err := Reserve(pageSize)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	first := mustMap(t)(r.Anonymous(0, pageSize, nil))
	stale := first.Bytes()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := mustMap(t)(r.Anonymous(0, pageSize, &AnonConfig{Prot: None, Name: "second"}))
	read := func() error { touched = stale[0]; return nil }
	for _, ms := range [][]*Mapping{{first, second}, {second, first}} {
		if e := wantError(t, Guard(read, ms...), "guard", ErrProtected); e.Name != "second" {
			t.Errorf("got the fault of %q, want that of the second mapping", e.Name)
		}
	}
	// Who touches the first one's slice touches the second's memory.
	if !faults(stale, 0) {
		t.Fatal("the second mapping can be read")
	}
	defer func() {
		if _, isFault := faultAddr(recover()); !isFault {
			t.Error("a fault in another mapping's memory was taken for one's own")
		}
	}()
	t.Errorf("Guard returned %v", Guard(read, first))
}

// TestGuardNil has mappings in the list that there are not.
func TestGuardNil(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Anonymous(pageSize, &AnonConfig{Prot: None}))
	wantError(t, Guard(func() error { touched = m.Bytes()[0]; return nil }, nil, m), "guard", ErrProtected)
}

// TestFaultOfChange looks for the reason in an older view than the one that the
// fault came from.
func TestFaultOfChange(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := mustMap(t)(Map(makeFile(t, pattern(2*pageSize)), nil))
	old := m.now.Load()
	if err := m.Protect(pageSize, pageSize, None); err != nil {
		t.Fatal(err)
	}
	wantError(t, m.faultError("guard", old, pageSize, anyAccess), "guard", ErrProtected)
	if err := m.Unmap(pageSize, pageSize); err != nil {
		t.Fatal(err)
	}
	wantError(t, m.faultError("guard", old, pageSize, anyAccess), "guard", ErrUnmapped)
	wantError(t, m.faultError("guard", old, 0, anyAccess), "guard", ErrProtected) // a load would have worked
	wantError(t, m.faultError("guard", old, 0, reading), "guard", ErrAgain)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, m.faultError("guard", old, 0, reading), "guard", ErrClosed)
}

// TestErrnoCause keeps EINVAL out of the reasons: it says that the question was
// wrong.
func TestErrnoCause(t *testing.T) {
	if err := errnoCause(sys.EINVAL); err != nil {
		t.Errorf("EINVAL: got %v, want nothing", err)
	}
	if err := errnoCause(sys.ENOMEM); err != sys.ENOMEM {
		t.Errorf("ENOMEM: got %v, want it", err)
	}
}

// TestFaultIO has a page that can't be loaded, though the file is long enough and
// the disk has room: to the mapping, that is a broken disk. The file that it looks
// at is another one than it shows.
func TestFaultIO(t *testing.T) {
	checkLeaks(t)
	m := makeTruncated(t, FileConfig{})
	shown := m.file
	m.file = makeFile(t, pattern(2*pageSize))
	n, err := m.ReadAt(make([]byte, pageSize+1), 0)
	if e := wantError(t, err, "read", ErrFault, sys.EIO); int64(n) != pageSize || e.Off != pageSize {
		t.Errorf("got %d bytes and Off %d, want %d", n, e.Off, pageSize)
	}
	m.file = shown
}

// TestPlaces follows a mapping that grows, shrinks and moves. A place in which it
// grew is one place; of too many, the oldest are forgotten.
func TestPlaces(t *testing.T) {
	var m Mapping
	at := func(addr, n uintptr) { m.remember(&view{pages: span{addr, n}, delta: 3}) }
	want := func(spans ...span) {
		t.Helper()
		var got []span
		for p := m.places.Load(); p != nil; p = p.before {
			got = append(got, p.span)
			if p.delta != 3 {
				t.Errorf("place %v has delta %d, want 3", p.span, p.delta)
			}
		}
		if !slices.Equal(got, spans) {
			t.Errorf("got places %v, want %v", got, spans)
		}
	}
	at(1000, 10)
	at(1000, 5)
	want(span{1000, 10})
	at(2000, 20)
	at(2000, 30)
	want(span{2000, 30}, span{1000, 10})
	at(1000, 10)
	want(span{1000, 10}, span{2000, 30}, span{1000, 10})
	m.places.Store(nil)
	for i := range uintptr(2 * maxPlaces) {
		at(1000*i, 10)
	}
	var newest []span
	for i := range uintptr(maxPlaces) {
		newest = append(newest, span{1000 * (2*maxPlaces - 1 - i), 10})
	}
	want(newest...)
}

// faultyText is a value whose String method touches mapped memory.
type faultyText []byte

func (f faultyText) String() string { return string(f) }

// TestGuardHarm does what recovers, or isn't even noticed, but leaves something
// behind. docs/guard.md lists it; no library can do anything about it.
func TestGuardHarm(t *testing.T) {
	needMappings(t)
	checkLeaks(t)
	m := makeTruncated(t, FileConfig{Prot: Read | Write})
	bad := m.Bytes()[pageSize:]
	guard := func(fn func()) error { return Guard(func() error { fn(); return nil }, m) }
	recovered := func(t *testing.T, fn func()) {
		t.Helper()
		wantError(t, guard(fn), "guard", ErrFault)
	}
	hidden := func(t *testing.T, fn func()) {
		t.Helper()
		if err := guard(fn); err != nil {
			t.Errorf("Guard sees the fault now: %v", err)
		}
	}
	tests := map[string]func(t *testing.T){
		"mutex": func(t *testing.T) {
			var mu sync.Mutex
			recovered(t, func() { mu.Lock(); touched = bad[0]; mu.Unlock() })
			if mu.TryLock() {
				t.Error("the mutex is not locked")
			}
			var better sync.Mutex
			recovered(t, func() { better.Lock(); defer better.Unlock(); touched = bad[0] })
			if !better.TryLock() {
				t.Error("the mutex that is unlocked by defer is locked")
			}
		},
		"once": func(t *testing.T) {
			var once sync.Once
			recovered(t, func() { once.Do(func() { touched = bad[0] }) })
			once.Do(func() { t.Error("sync.Once does it again") })
		},
		"half done": func(t *testing.T) {
			b := m.Bytes()[pageSize-10:]
			clear(b[:10])
			recovered(t, func() {
				for i := range b {
					b[i] = 'x'
				}
			})
			wantBytes(t, "before the fault", b[:10], bytes.Repeat([]byte{'x'}, 10))
		},
		"received value": func(t *testing.T) {
			ch := make(chan byte, 1)
			ch <- 1
			recovered(t, func() { bad[0] = <-ch })
			if len(ch) != 0 {
				t.Error("the value is still in the channel")
			}
		},
		"reflect.Value.SetMapIndex": func(t *testing.T) {
			blocks := make(map[int]block)
			recovered(t, func() {
				reflect.ValueOf(blocks).SetMapIndex(reflect.ValueOf(1), reflect.ValueOf((*block)(bad)).Elem())
			})
			if _, ok := blocks[1]; !ok {
				t.Error("there is no entry")
			}
		},
		"own recover": func(t *testing.T) {
			hidden(t, func() {
				defer func() { _ = recover() }()
				touched = bad[0]
			})
		},
		"fmt": func(t *testing.T) {
			var text string
			hidden(t, func() { text = fmt.Sprint(faultyText(bad)) })
			if !strings.Contains(text, "(PANIC=String method: ") {
				t.Errorf("fmt printed %q", text)
			}
		},
		"text/template": func(t *testing.T) {
			hidden(t, func() {
				page := template.Must(template.New("page").Parse("{{.String}}"))
				if err := page.Execute(io.Discard, faultyText(bad)); err == nil {
					t.Error("no error of the template's own")
				}
			})
		},
		"slog": func(t *testing.T) {
			var out strings.Builder
			hidden(t, func() { slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", faultyText(bad)) })
			if !strings.Contains(out.String(), "!PANIC") {
				t.Errorf("slog wrote %q", out.String())
			}
		},
		"system call": func(t *testing.T) {
			name := makePath(t, nil)
			hidden(t, func() {
				if err := os.WriteFile(name, bad, 0o600); !errors.Is(err, sys.EFAULT) {
					t.Errorf("writing to a file: got error %v, want EFAULT", err)
				}
			})
		},
	}
	for name, test := range tests {
		t.Run(name, test)
	}
}
