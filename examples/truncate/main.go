// Truncate shows what becomes of a program when a file that it has mapped is
// truncated by another: with a bare mapping, and with package memmap.
//
//	go run ./examples/truncate
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	pages = 3

	// childEnv says to a process that it is the program, and which mapping it
	// is to use. The name of the file is the argument.
	childEnv = "MEMMAP_TRUNCATE_CHILD"
)

func main() {
	if kind, isChild := os.LookupEnv(childEnv); isChild {
		exitOn(program(kind, os.Args[1]))
		return
	}
	exitOn(run(os.Stdout))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "truncate:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "truncate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	fmt.Fprintf(w, "A program maps a file of %d pages and reads it, page by page.\n"+
		"After the first page, somebody else truncates the file to that page.\n", pages)
	for i, kind := range []string{"bare", "memmap"} {
		fmt.Fprintf(w, "\n%d. %s\n\n", i+1, kinds[kind].title)
		if err := show(w, kind, filepath.Join(dir, "data")); err != nil {
			return err
		}
	}
	return nil
}

// show starts the program, truncates the file when the program has read the first
// page, and shows what the program says and how it ends.
func show(w io.Writer, kind, name string) error {
	if err := os.WriteFile(name, make([]byte, pages*os.Getpagesize()), 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, name)
	cmd.Env = append(os.Environ(), childEnv+"="+kind)
	says, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout // the same pipe: what it says when it dies
	wait, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = follow(w, says, func() error {
		fmt.Fprintf(w, "  somebody else   truncates the file to %d bytes\n", os.Getpagesize())
		return errors.Join(os.Truncate(name, int64(os.Getpagesize())), wait.Close())
	})
	if err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	how := "ends well"
	if err := cmd.Wait(); err != nil {
		how = "is dead: " + err.Error()
	}
	fmt.Fprintf(w, "  the program     %s\n", how)
	return nil
}

// follow shows the lines that the program says, but not the stacks that it leaves
// when it dies. When it says that it waits, truncate is called, which lets it go on.
func follow(w io.Writer, says io.Reader, truncate func() error) error {
	stacks := false
	lines := bufio.NewScanner(says)
	for lines.Scan() {
		text := lines.Text()
		stacks = stacks || strings.HasPrefix(text, "goroutine ")
		switch {
		case text == waiting:
			if err := truncate(); err != nil {
				return err
			}
		case text != "" && !stacks:
			fmt.Fprintf(w, "  the program     %s\n", text)
		}
	}
	return lines.Err()
}
