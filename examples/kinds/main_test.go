package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func Example() {
	dir, err := os.MkdirTemp("", "kinds")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if err := show(os.Stdout, filepath.Join(dir, "file")); err != nil {
		fmt.Println(err)
	}
	// Output:
	// a store into the shared mapping is seen everywhere:
	//   private HELLO, world   shared HELLO, world   file HELLO, world
	// a store into the private mapping copies the page:
	//   private HELLO, WORLD   shared HELLO, world   file HELLO, world
	// from then on it has a page of its own:
	//   private HELLO, WORLD   shared jello, world   file jello, world
}
