package memmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/memmap-go/memmap/internal/sys"
)

// machine is a system as /proc shows it.
type machine map[string]string

func (m machine) read(name string) ([]byte, error) {
	if text, ok := m[name]; ok {
		return []byte(text), nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// with returns the machine with other files.
func (m machine) with(other machine) machine {
	all := machine{}
	for _, files := range []machine{m, other} {
		for name, text := range files {
			all[name] = text
		}
	}
	return all
}

// small has 1000 pages of 4 KiB each, a few more of swap, and the ordinary policy.
var small = machine{
	"/proc/meminfo": "MemTotal: 4000 kB\nSwapTotal: 400 kB\nCommitLimit: 2400 kB\nCommitted_AS: 1000 kB\n" +
		"HugePages_Total: 0\nHugetlb: 0 kB\n",
	"/proc/sys/vm/overcommit_memory":    "0\n",
	"/proc/sys/vm/overcommit_ratio":     "50\n",
	"/proc/sys/vm/overcommit_kbytes":    "0\n",
	"/proc/sys/vm/admin_reserve_kbytes": "80\n",
	"/proc/sys/vm/user_reserve_kbytes":  "120\n",
	"/proc/self/statm":                  "320 10 5 1 0 50 0\n",
	"/proc/self/status":                 "Name:\tx\nCapEff:\t0000000000000000\n",
}

var root = machine{"/proc/self/status": "CapEff:\t000001ffffffffff\n"}

const kB = 1 << 10

func TestReadOvercommit(t *testing.T) {
	o, err := readOvercommit(small.with(machine{"/proc/sys/vm/overcommit_memory": "2\n"}).read)
	if err != nil {
		t.Fatal(err)
	}
	want := Overcommit{
		Mode: OvercommitNever, Ratio: 50, Memory: 4000 * kB, Swap: 400 * kB, Limit: 2400 * kB, Committed: 1000 * kB,
		AdminReserve: 80 * kB, UserReserve: 120 * kB, mappedSize: 320 * pageSize,
	}
	if *o != want {
		t.Errorf("got %+v, want %+v", *o, want)
	}
	if o, err := readOvercommit(small.with(root).read); err != nil || !o.privileged {
		t.Errorf("root: got %+v, %v", o, err)
	}
}

// TestReadOvercommitErrors takes a file away, or breaks it.
func TestReadOvercommitErrors(t *testing.T) {
	for name := range small {
		without := small.with(nil)
		delete(without, name)
		_, err := readOvercommit(without.read)
		if name == "/proc/meminfo" {
			if !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("without %s: got %v, want ErrUnsupported", name, err)
			}
		} else if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: got %v, want ErrNotExist", name, err)
		}
		if _, err := readOvercommit(small.with(machine{name: "nonsense"}).read); err == nil {
			t.Errorf("%s is nonsense, and no error", name)
		}
	}
	for _, line := range []string{"MemTotal", "SwapTotal", "CommitLimit", "Committed_AS"} {
		broken := strings.Replace(small["/proc/meminfo"], line, "x", 1)
		_, err := readOvercommit(small.with(machine{"/proc/meminfo": broken}).read)
		if err == nil || !strings.Contains(err.Error(), line) {
			t.Errorf("without %s: got %v", line, err)
		}
	}
}

func TestCommitLimit(t *testing.T) {
	if pageSize != 4*kB {
		t.Skip("the sizes are those of pages of 4 KiB")
	}
	tests := []struct {
		name string
		o    Overcommit
		want int64
	}{
		{"half", Overcommit{Ratio: 50, Memory: 4000 * kB}, 2000 * kB},
		{"and swap", Overcommit{Ratio: 50, Memory: 4000 * kB, Swap: 400 * kB}, 2400 * kB},
		{"without huge pages", Overcommit{Ratio: 50, Memory: 4000 * kB, HugePages: 2000 * kB, Swap: 400 * kB}, 1400 * kB},
		{"swap alone", Overcommit{Ratio: 0, Memory: 4000 * kB, Swap: 400 * kB}, 400 * kB},
		{"more than there is", Overcommit{Ratio: 200, Memory: 4000 * kB}, 8000 * kB},
		{"fixed", Overcommit{Fixed: 1000 * kB, Ratio: 50, Memory: 4000 * kB, HugePages: 100 * kB, Swap: 400 * kB}, 1400 * kB},
		{"whole pages", Overcommit{Ratio: 50, Memory: 4004 * kB}, 2000 * kB},
		{"whole pages of what is fixed", Overcommit{Fixed: 1003 * kB}, 1000 * kB},
	}
	for _, tt := range tests {
		if got := tt.o.CommitLimit(); got != tt.want {
			t.Errorf("%s: got %d kB, want %d kB", tt.name, got/kB, tt.want/kB)
		}
	}
}

func TestOvercommitCheck(t *testing.T) {
	if pageSize != 4*kB {
		t.Skip("the sizes are those of pages of 4 KiB")
	}
	mode := func(n int, more ...machine) machine {
		m := small.with(machine{"/proc/sys/vm/overcommit_memory": fmt.Sprintln(n)})
		for _, other := range more {
			m = m.with(other)
		}
		return m
	}
	// This process has 1280 kB mapped, of which a 32nd, 40 kB, is less than
	// the user's reserve. Of the limit of 2400 kB, 1000 kB are committed.
	large := machine{"/proc/self/statm": "3200 1 1 1 0 1 0"}
	full := machine{"/proc/meminfo": strings.Replace(small["/proc/meminfo"], "Committed_AS: 1000", "Committed_AS: 3000", 1)}
	tests := []struct {
		name    string
		m       machine
		granted int64 // the most
		hint    string
	}{
		{"heuristic", mode(0), 4400 * kB, "vm.overcommit_memory is 0"},
		{"heuristic, full", mode(0, full), 4400 * kB, "vm.overcommit_memory is 0"},
		{"always", mode(1), 1 << 62, ""},
		{"never, root", mode(2, root), (2400-1000-40)*kB - 4*kB, "vm.overcommit_memory is 2"},
		{"never", mode(2), (2400-80-1000-40)*kB - 4*kB, "vm.overcommit_memory is 2"},
		{"never, large process", mode(2, large), (2400-80-1000-120)*kB - 4*kB, "vm.overcommit_memory is 2"},
		{"never, full", mode(2, full), -1, "and 0 could be"},
	}
	for _, tt := range tests {
		o, err := readOvercommit(tt.m.read)
		if err != nil {
			t.Fatal(err)
		}
		if tt.granted >= 0 {
			if err := o.Check(tt.granted); err != nil {
				t.Errorf("%s: %d kB: %v", tt.name, tt.granted/kB, err)
			}
		}
		if tt.hint == "" {
			continue
		}
		e := wantError(t, o.Check(max(tt.granted+1, 1)), "commit", sys.ENOMEM)
		if !strings.Contains(e.Error(), tt.hint) {
			t.Errorf("%s: got %q, want %q in it", tt.name, e, tt.hint)
		}
		wantError(t, o.Check(1<<63-1), "commit", sys.ENOMEM)
		wantError(t, o.Check(-1), "commit", ErrRange)
		if err := o.Check(0); err != nil {
			t.Errorf("%s: nothing: %v", tt.name, err)
		}
	}
}

func TestOvercommitModeString(t *testing.T) {
	for mode, want := range map[OvercommitMode]string{
		OvercommitHeuristic: "heuristic", OvercommitAlways: "always", OvercommitNever: "never", 7: "OvercommitMode(7)",
	} {
		if got := mode.String(); got != want {
			t.Errorf("%d: got %q, want %q", int(mode), got, want)
		}
	}
}

// TestOvercommitHere compares the policy with what the kernel makes of it.
func TestOvercommitHere(t *testing.T) {
	needLinux(t)
	o, err := ReadOvercommit()
	if err != nil {
		t.Fatal(err)
	}
	if got := o.CommitLimit(); got != o.Limit {
		t.Errorf("CommitLimit is %d, the kernel says %d", got, o.Limit)
	}
	if o.Committed <= 0 || o.Memory <= 0 || o.mappedSize <= 0 {
		t.Errorf("sizes are missing: %+v", o)
	}
	if o.privileged != (os.Getuid() == 0) {
		t.Logf("privileged: %v, user %d", o.privileged, os.Getuid())
	}
	if o.Mode != OvercommitHeuristic {
		t.Skipf("vm.overcommit_memory is %d", o.Mode)
	}
	checkLeaks(t)
	most := o.Memory + o.Swap
	needAddresses(t, 2*most)
	for _, n := range []int64{most - pageSize, most, most + 1, most + pageSize, 2 * most} {
		m, err := Anonymous(n, nil)
		if got, want := err == nil, o.Check(n) == nil; got != want {
			t.Errorf("%d bytes of %d: granted %v, Check says %v: %v", n, most, got, want, err)
		}
		if err != nil {
			if e := wantError(t, err, "map", sys.ENOMEM); !strings.Contains(e.Error(), "vm.overcommit_memory is 0") {
				t.Errorf("got %q, which doesn't say why", e)
			}
			m, err = Anonymous(n, &AnonConfig{NoReserve: true})
		}
		mustMap(t)(m, err)
	}
}
