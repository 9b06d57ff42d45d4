// Kinds maps one file twice, private and shared, and shows who sees what.
//
//	go run ./examples/kinds
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/memmap-go/memmap"
)

func main() {
	dir, err := os.MkdirTemp("", "kinds")
	if err == nil {
		err = errors.Join(show(os.Stdout, filepath.Join(dir, "file")), os.RemoveAll(dir))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kinds:", err)
		os.Exit(1)
	}
}

func show(w io.Writer, name string) error {
	if err := os.WriteFile(name, []byte("hello, world"), 0o600); err != nil {
		return err
	}
	rw := memmap.Read | memmap.Write
	private, err := memmap.Open(name, &memmap.FileConfig{Prot: rw, Private: true})
	if err != nil {
		return err
	}
	defer private.Close()
	shared, err := memmap.Open(name, &memmap.FileConfig{Prot: rw})
	if err != nil {
		return err
	}
	defer shared.Close()

	copy(shared.Bytes(), "HELLO")
	fmt.Fprintf(w, "a store into the shared mapping is seen everywhere:\n")
	if err := print(w, name, private, shared); err != nil {
		return err
	}
	copy(private.Bytes()[7:], "WORLD")
	fmt.Fprintf(w, "a store into the private mapping copies the page:\n")
	if err := print(w, name, private, shared); err != nil {
		return err
	}
	copy(shared.Bytes(), "jello")
	fmt.Fprintf(w, "from then on it has a page of its own:\n")
	return print(w, name, private, shared)
}

func print(w io.Writer, name string, private, shared *memmap.Mapping) error {
	file, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "  private %s   shared %s   file %s\n", private.Bytes(), shared.Bytes(), file)
	return err
}
