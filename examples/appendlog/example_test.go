package appendlog_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/memmap-go/memmap/examples/appendlog"
)

func Example() {
	dir, err := os.MkdirTemp("", "appendlog")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	l, err := appendlog.Open(filepath.Join(dir, "log"), 1<<28)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	for _, text := range []string{"one", "two", "three"} {
		if _, err := l.Append([]byte(text)); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := l.Sync(); err != nil { // from here on, they survive a power failure
		fmt.Println(err)
		return
	}
	for rec, err := range l.All() {
		fmt.Printf("%s %v\n", rec, err)
	}
	// Output:
	// one <nil>
	// two <nil>
	// three <nil>
}
