package appendlog

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rounds = flag.Int("rounds", 30, "how many times TestKill kills a process")

// childEnv says to the test binary that it is to append to the log of that name.
const childEnv = "MEMMAP_APPENDLOG_CHILD"

func TestMain(m *testing.M) {
	if name, isChild := os.LookupEnv(childEnv); isChild {
		fmt.Fprintln(os.Stderr, child(name))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child appends and syncs until it is killed. After each Sync it says how many
// records there are.
func child(name string) error {
	l, err := Open(name, testLen)
	if err != nil {
		return err
	}
	n, err := count(l)
	if err != nil {
		return err
	}
	for {
		for range rand.IntN(100) {
			if _, err := l.Append(record(n)); err != nil {
				return err
			}
			n++
		}
		if err := l.Sync(); err != nil {
			return err
		}
		if _, err := fmt.Println(n); err != nil {
			return err
		}
	}
}

// TestKill kills a process that appends and syncs, at any moment, and opens what it
// has left: all that it has said to be synced must be there, and nothing that was
// never appended. The next process goes on with the same log.
//
// The page cache survives a process, so this says nothing about Sync itself: see
// TestPowerFailure.
func TestKill(t *testing.T) {
	needGrowth(t)
	name := filepath.Join(t.TempDir(), "log")
	records, torn := 0, 0
	for round := range *rounds {
		synced, complaint := killChild(t, name, (*os.Process).Kill)
		if complaint != "" {
			t.Fatalf("round %d: %s", round, complaint)
		}
		if tornTail(t, name) {
			torn++
		}
		l := mustOpen(t, name)
		n, err := count(l)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if n < max(synced, records) {
			t.Fatalf("round %d: there are %d records, %d were synced, and %d read before", round, n, synced, records)
		}
		must(t, l.Close())
		if records = n; records > 3000 {
			must(t, os.Remove(name))
			records = 0
		}
	}
	t.Logf("%d kills, %d of which left a record unfinished", *rounds, torn)
}

// killChild starts a process, ends it at a random moment, and returns how many
// records it has said to be synced. Every other time that is soon, while it opens
// the log. It also returns what the process has complained of.
func killChild(t *testing.T, name string, end func(*os.Process) error) (synced int, complaint string) {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name)
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewReader(out)
	if rand.IntN(2) == 0 {
		synced = max(0, report(t, lines))
	}
	time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
	must(t, end(cmd.Process))
	for n := 0; n >= 0; n = report(t, lines) {
		synced = max(synced, n)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the process has ended by itself")
	}
	return synced, stderr.String()
}

// report reads what the child says next, or returns -1 if that was all.
func report(t *testing.T, lines *bufio.Reader) int {
	t.Helper()
	line, err := lines.ReadString('\n')
	if err == io.EOF {
		return -1 // half a line is no promise
	}
	must(t, err)
	n, err := strconv.Atoi(line[:len(line)-1])
	must(t, err)
	return n
}

// tornTail reports whether there is something behind the last whole record.
func tornTail(t *testing.T, name string) bool {
	t.Helper()
	b, err := os.ReadFile(name)
	if os.IsNotExist(err) || len(b) < firstAt {
		return false
	}
	must(t, err)
	b = b[firstAt:]
	for {
		rec, ok := decode(b)
		if !ok {
			break
		}
		b = b[headLen+len(rec):]
	}
	for _, c := range b {
		if c != 0 {
			return true
		}
	}
	return false
}
