package memmap

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// lose makes mappings and regions, closes some, and forgets them all.
//
//go:noinline
func lose(t *testing.T) {
	a, err := Anonymous(pageSize, &AnonConfig{Name: "lost"})
	if err != nil {
		t.Fatal(err)
	}
	closed, err := Anonymous(pageSize, &AnonConfig{Name: "closed"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Reserve(4 * pageSize)
	if err != nil {
		t.Fatal(err)
	}
	inside, err := r.Anonymous(0, pageSize, &AnonConfig{Name: "inside"})
	if err != nil {
		t.Fatal(err)
	}
	gone, err := Reserve(pageSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []interface{ Close() error }{closed, gone} {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.KeepAlive(a)
	runtime.KeepAlive(inside)
}

// TestReportLeaks runs in a child, since what is lost stays mapped.
func TestReportLeaks(t *testing.T) {
	needMappings(t)
	if !inChild(t) {
		return
	}
	for _, stacks := range []bool{false, true} {
		found := make(chan Leak, 10)
		ReportLeaks(func(l Leak) { found <- l }, stacks)
		lose(t)
		got := map[string]Leak{}
		for end := time.Now().Add(10 * time.Second); len(got) < 2 && time.Now().Before(end); {
			runtime.GC()
			select {
			case l := <-found:
				got[l.Name] = l
			case <-time.After(10 * time.Millisecond):
			}
		}
		ReportLeaks(nil, false)
		if got["lost"].Len != pageSize || got["region"].Len != 4*pageSize || len(got) != 2 {
			t.Errorf("got reports %v", got)
		}
		text := got["lost"].String()
		if !strings.HasPrefix(text, "memmap: lost, 4096 bytes, was lost without Close") && os.Getpagesize() == 4096 {
			t.Errorf("got text %q", text)
		}
		if first, _, _ := strings.Cut(strings.Join(strings.Split(text, "\n\t")[1:], " "), " "); stacks != strings.HasSuffix(first, "memmap.lose") {
			t.Errorf("stacks %v: the first function is %q in\n%s", stacks, first, text)
		}
	}
	ReportLeaks(nil, false)
	m, err := Anonymous(pageSize, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.watched != (runtime.Cleanup{}) {
		t.Error("it is watched though nobody wants to know")
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}
