// Counter shares a counter between a parent and its children, twice: in
// anonymous memory that the children inherit as a descriptor, and in a file that
// they open by name. Go can't fork, so the children are started anew, and get
// the memory handed on.
//
//	go run ./examples/counter
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/memmap-go/memmap"
)

const (
	children = 4
	rounds   = 10_000

	// childEnv says to a process that it is a child, and which file to open:
	// none means the memory behind descriptor 3.
	childEnv = "MEMMAP_COUNTER_CHILD"
)

func main() {
	if name, isChild := os.LookupEnv(childEnv); isChild {
		exitOn(child(name))
		return
	}
	exitOn(run(os.Stdout))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "counter:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) error {
	anon, err := anonymously()
	if err != nil {
		return err
	}
	file, err := throughFile()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%d children, %d rounds each: anonymous %d, file %d\n", children, rounds, anon, file)
	return err
}

func anonymously() (total int64, err error) {
	m, err := memmap.Anonymous(8, &memmap.AnonConfig{Shared: true, Name: "counter"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	memory, err := m.File()
	if err != nil {
		return 0, err
	}
	defer memory.Close()
	if err := startAll("", memory); err != nil {
		return 0, err
	}
	return memmap.Load[int64](m, 0)
}

func throughFile() (total int64, err error) {
	dir, err := os.MkdirTemp("", "counter")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name := filepath.Join(dir, "counter")
	if err := os.WriteFile(name, make([]byte, 8), 0o600); err != nil {
		return 0, err
	}
	if err := startAll(name); err != nil {
		return 0, err
	}
	m, err := memmap.Open(name, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	return memmap.Load[int64](m, 0)
}

// startAll starts the children, with a file by name or a descriptor, and waits
// for them.
func startAll(name string, inherited ...*os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var started []*exec.Cmd
	var errs []error
	for range children {
		c := exec.Command(self)
		c.Env = append(os.Environ(), childEnv+"="+name)
		c.ExtraFiles = inherited // descriptor 3
		c.Stderr = new(strings.Builder)
		if err := c.Start(); err != nil {
			errs = append(errs, err)
			continue
		}
		started = append(started, c)
	}
	for _, c := range started {
		if err := c.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("child: %w: %s", err, c.Stderr))
		}
	}
	return errors.Join(errs...)
}

func child(name string) (err error) {
	f := os.NewFile(3, "counter")
	if name != "" {
		if f, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
			return err
		}
	}
	defer f.Close()
	m, err := memmap.Map(f, &memmap.FileConfig{Prot: memmap.Read | memmap.Write})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	counter, err := memmap.Pointer[int64](m, 0)
	if err != nil {
		return err
	}
	for range rounds {
		atomic.AddInt64(counter, 1)
	}
	return nil
}
