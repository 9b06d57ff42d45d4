package appendlog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/memmap-go/memmap"
)

const testLen = 1 << 28

// needGrowth skips a test on systems where mappings can't grow.
func needGrowth(t *testing.T) {
	t.Helper()
	switch runtime.GOOS {
	case "windows", "plan9", "js", "wasip1":
		t.Skip("this system has no mappings")
	}
}

// record is the content of record i of every test: its number, and then bytes that
// depend on it. Some are empty, most are short, a few are long.
func record(i int) []byte {
	random := rand.New(rand.NewPCG(uint64(i), 1))
	n := random.IntN(200)
	switch {
	case i%50 == 49:
		n = random.IntN(1 << 20)
	case i%10 == 9:
		n = 0
	}
	b := bytes.Repeat(fmt.Appendf(nil, "record %d ", i), n/8+1)[:n]
	for range n / 64 {
		b[random.IntN(n)] = byte(random.Uint32())
	}
	return b
}

func mustOpen(t *testing.T, name string) *Log {
	t.Helper()
	l, err := Open(name, testLen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// appendRecords appends the records from i on, and returns where they stand.
func appendRecords(t *testing.T, l *Log, from, to int) []int64 {
	t.Helper()
	var offsets []int64
	for i := from; i < to; i++ {
		off, err := l.Append(record(i))
		must(t, err)
		offsets = append(offsets, off)
	}
	return offsets
}

// count returns how many records the log has, if they are the first of all tests'.
func count(l *Log) (n int, err error) {
	for rec, err := range l.All() {
		switch {
		case err != nil:
			return n, err
		case !bytes.Equal(rec, record(n)):
			return n, fmt.Errorf("record %d is %.40q, want %.40q", n, rec, record(n))
		}
		n++
	}
	return n, nil
}

func wantCount(t *testing.T, l *Log, want int) {
	t.Helper()
	if n, err := count(l); n != want || err != nil {
		t.Fatalf("got %d records and error %v, want %d records", n, err, want)
	}
}

func TestLog(t *testing.T) {
	needGrowth(t)
	name := filepath.Join(t.TempDir(), "log")
	for i := range 5 {
		l := mustOpen(t, name)
		wantCount(t, l, i*60)
		for j, off := range appendRecords(t, l, i*60, (i+1)*60) {
			if rec, err := l.Read(off); err != nil || !bytes.Equal(rec, record(i*60+j)) {
				t.Errorf("Read(%d): got %.20q, %v", off, rec, err)
			}
		}
		wantCount(t, l, (i+1)*60)
		must(t, l.Sync())
		must(t, l.Close())
	}
}

// TestTail leaves the last records as a crash may leave them, and opens the log: from
// every byte of their heads on, and from some of their payloads.
func TestTail(t *testing.T) {
	needGrowth(t)
	name := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, name)
	const whole = 40
	offsets := appendRecords(t, l, 0, whole+3)
	end := l.end.Load()
	must(t, l.Close())
	image, err := os.ReadFile(name)
	must(t, err)
	clear(image[durableAt:firstAt]) // never synced
	foreign := make([]byte, 300)    // a record inside what is left behind
	encode(foreign[100:], bytes.Repeat([]byte{'x'}, 150))
	damages := map[string]func(cut int64) []byte{
		"the file ends":    func(cut int64) []byte { return image[:cut] },
		"zeros follow":     func(cut int64) []byte { return append(bytes.Clone(image[:cut]), make([]byte, end-cut+100)...) },
		"ones follow":      func(cut int64) []byte { return append(bytes.Clone(image[:cut]), bytes.Repeat([]byte{255}, 200)...) },
		"a record follows": func(cut int64) []byte { return append(bytes.Clone(image[:cut]), foreign...) },
		"one byte is zero": func(cut int64) []byte { return append(append(bytes.Clone(image[:cut]), 0), image[min(cut+1, end):]...) },
	}
	for what, damage := range damages {
		t.Run(what, func(t *testing.T) {
			for _, start := range offsets[whole:] {
				for cut := start; cut <= end; cut += 1 + (cut-start)/headLen*7 {
					must(t, os.WriteFile(name, damage(cut), 0o600))
					checkTail(t, name, offsets, cut)
				}
			}
		})
	}
}

// checkTail opens a log of which the first cut bytes are good, appends a record as
// long as the first that is missing, and opens it again. Nothing of what was there
// may come back.
func checkTail(t *testing.T, name string, offsets []int64, cut int64) {
	t.Helper()
	left := 0
	for left < len(offsets) && offsets[left]+headLen+int64(len(record(left))) <= cut {
		left++
	}
	l := mustOpen(t, name)
	n, err := count(l)
	// A byte that was lost may have been the same.
	if err != nil || n < left {
		t.Fatalf("cut at %d: got %d records and error %v, want %d", cut, n, err, left)
	}
	must(t, l.Close())
	l = mustOpen(t, name)
	last := bytes.Repeat([]byte{'x'}, len(record(n)))
	if _, err := l.Append(last); err != nil {
		t.Fatal(err)
	}
	must(t, l.Close())
	l = mustOpen(t, name)
	defer l.Close()
	i := 0
	for rec, err := range l.All() {
		if err != nil || i < n && !bytes.Equal(rec, record(i)) || i == n && !bytes.Equal(rec, last) {
			t.Fatalf("cut at %d: after appending, record %d of %d is %.20q, %v", cut, i, n+1, rec, err)
		}
		i++
	}
	if i != n+1 {
		t.Fatalf("cut at %d: after appending there are %d records, want %d", cut, i, n+1)
	}
}

// TestCorrupt damages a log in a part that was synced.
func TestCorrupt(t *testing.T) {
	needGrowth(t)
	name := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, name)
	offsets := appendRecords(t, l, 0, 30)
	must(t, l.Sync())
	must(t, l.Close())
	image, err := os.ReadFile(name)
	must(t, err)
	bad := bytes.Clone(image)
	bad[offsets[20]+5] ^= 1
	for what, image := range map[string][]byte{"a bit": bad, "the end": image[:offsets[29]]} {
		must(t, os.WriteFile(name, image, 0o600))
		if l, err := Open(name, testLen); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, error %v, want %v", what, l, err, ErrCorrupt)
		}
		if now, err := os.ReadFile(name); err != nil || !bytes.Equal(now, image) {
			t.Errorf("%s: opening changed the file, or %v", what, err)
		}
	}
}

func TestNotLog(t *testing.T) {
	needGrowth(t)
	name := filepath.Join(t.TempDir(), "log")
	for _, content := range []string{"x", "some text", "some text that is longer than a header", magic, string(make([]byte, 17))} {
		must(t, os.WriteFile(name, []byte(content), 0o600))
		if l, err := Open(name, testLen); !errors.Is(err, ErrNotLog) {
			t.Errorf("%q: got %v, error %v, want %v", content, l, err, ErrNotLog)
		}
		if now, err := os.ReadFile(name); err != nil || string(now) != content {
			t.Errorf("%q: opening changed the file to %q, or %v", content, now, err)
		}
	}
	if _, err := Open(t.TempDir(), testLen); err == nil {
		t.Error("opened a folder")
	}
	// A process killed while it created the log leaves these.
	for _, n := range []int{0, 1, firstAt} {
		must(t, os.WriteFile(name, make([]byte, n), 0o600))
		l := mustOpen(t, name)
		wantCount(t, l, 0)
		must(t, l.Close())
	}
}

// TestReadersAndGrowth holds every record that readers see while the log grows from
// nothing to 64 MiB, and looks at them again in the end.
func TestReadersAndGrowth(t *testing.T) {
	needGrowth(t)
	l := mustOpen(t, filepath.Join(t.TempDir(), "log"))
	const total = 64 << 20
	type held struct{ rec, want []byte }
	read := func(keep *[]held) {
		for off := int64(firstAt); off < total; {
			if off >= l.end.Load() {
				runtime.Gosched()
				continue
			}
			rec, err := l.Read(off)
			if err != nil || !utf8.Valid(rec) {
				t.Errorf("at %d: %v, or not what was appended", off, err)
				return
			}
			*keep = append(*keep, held{rec, bytes.Clone(rec)})
			off += headLen + int64(len(rec))
		}
	}
	var readers sync.WaitGroup
	kept := make([][]held, 2)
	for i := range kept {
		readers.Go(func() { read(&kept[i]) })
	}
	growths, length := 0, l.m.Len()
	for i := 0; l.end.Load() < total; i++ {
		_, err := l.Append(bytes.Repeat([]byte{'a' + byte(i%26)}, i%100_000))
		must(t, err)
		if l.m.Len() != length {
			growths, length = growths+1, l.m.Len()
		}
	}
	readers.Wait()
	if growths < 60 {
		t.Errorf("the log has grown %d times only", growths)
	}
	for _, held := range kept {
		for i, h := range held {
			if !bytes.Equal(h.rec, h.want) || len(h.rec) != i%100_000 {
				t.Fatalf("record %d has changed while the log grew", i)
			}
		}
	}
}

// TestReadersWait reads with the locks taken that growing and syncing hold.
func TestReadersWait(t *testing.T) {
	needGrowth(t)
	l := mustOpen(t, filepath.Join(t.TempDir(), "log"))
	appendRecords(t, l, 0, 100)
	l.syncing.Lock()
	defer l.syncing.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	wantCount(t, l, 100) // or it waits for ever
}

// TestFull appends until maxLen is reached. What there is room for still goes in.
func TestFull(t *testing.T) {
	needGrowth(t)
	l, err := Open(filepath.Join(t.TempDir(), "log"), firstAt+100)
	must(t, err)
	defer l.Close()
	off, err := l.Append(make([]byte, 50))
	must(t, err)
	if _, err := l.Append(make([]byte, 100-2*headLen-50+1)); !errors.Is(err, ErrFull) {
		t.Errorf("got error %v, want %v", err, ErrFull)
	}
	if _, err := l.Append(make([]byte, 100-2*headLen-50)); err != nil {
		t.Error(err)
	}
	if rec, err := l.Read(off); len(rec) != 50 || err != nil {
		t.Errorf("got %d bytes, %v", len(rec), err)
	}
	must(t, l.Sync())
}

// TestTruncated has somebody cut the file. That is an error for all, and nothing is
// appended to what is left.
func TestTruncated(t *testing.T) {
	needGrowth(t)
	name := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, name)
	offsets := appendRecords(t, l, 0, 200)
	held, err := l.Read(offsets[199])
	must(t, err)
	must(t, os.Truncate(name, 0))
	if rec, err := l.Read(offsets[100]); rec != nil || !errors.Is(err, memmap.ErrTruncated) {
		t.Errorf("Read: got %d bytes and error %v, want %v", len(rec), err, memmap.ErrTruncated)
	}
	if n, err := count(l); n != 0 || !errors.Is(err, memmap.ErrTruncated) {
		t.Errorf("All: got %d records and error %v, want none and %v", n, err, memmap.ErrTruncated)
	}
	err = l.Guard(func() error { return fmt.Errorf("read %d", bytes.Clone(held)[0]) })
	if len(held) > 0 && !errors.Is(err, memmap.ErrTruncated) {
		t.Errorf("Guard: got error %v, want %v", err, memmap.ErrTruncated)
	}
	for range 2 {
		if _, err := l.Append(nil); !errors.Is(err, memmap.ErrTruncated) {
			t.Errorf("Append: got error %v, want %v", err, memmap.ErrTruncated)
		}
		// The pages are back, but what was in them isn't.
		must(t, os.Truncate(name, l.m.Len()))
	}
	if err := l.Sync(); !errors.Is(err, memmap.ErrTruncated) {
		t.Errorf("Sync: got error %v, want %v", err, memmap.ErrTruncated)
	}
}

// TestInterrupted appends what can't be read to its end. What is left of it stands
// behind the end of the log until that is opened again.
func TestInterrupted(t *testing.T) {
	needGrowth(t)
	name := filepath.Join(t.TempDir(), "log")
	l := mustOpen(t, name)
	appendRecords(t, l, 0, 10)
	page := os.Getpagesize()
	other, err := memmap.Anonymous(int64(2*page), nil)
	must(t, err)
	defer other.Close()
	must(t, other.Protect(int64(page), int64(page), memmap.None))
	err = memmap.Guard(func() error {
		_, err := l.Append(other.Bytes())
		return err
	}, other)
	if !errors.Is(err, memmap.ErrProtected) {
		t.Errorf("got error %v, want %v", err, memmap.ErrProtected)
	}
	if _, err := l.Append(nil); !errors.Is(err, errUnfinished) {
		t.Errorf("got error %v, want %v", err, errUnfinished)
	}
	wantCount(t, l, 10)
	must(t, l.Close())
	l = mustOpen(t, name)
	wantCount(t, l, 10)
	appendRecords(t, l, 10, 20)
	wantCount(t, l, 20)
}

func TestClosed(t *testing.T) {
	needGrowth(t)
	l := mustOpen(t, filepath.Join(t.TempDir(), "log"))
	off := appendRecords(t, l, 0, 1)[0]
	must(t, l.Close())
	_, appendErr := l.Append(nil)
	_, readErr := l.Read(off)
	_, allErr := count(l)
	for i, err := range []error{appendErr, readErr, allErr, l.Sync(), l.Close()} {
		if !errors.Is(err, memmap.ErrClosed) {
			t.Errorf("call %d: got error %v, want %v", i, err, memmap.ErrClosed)
		}
	}
}
