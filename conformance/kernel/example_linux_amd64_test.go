package kernel_test

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/conformance/kernel"
)

// A private page is copied when it is first stored to. The last expectation is wrong, to show what that looks like.
func Example() {
	const text = `section: Copy-on-write
case private-store: a store to a private mapping doesn't reach the file
f = file data 1p 'a'
m = mmap 0 1p r|w private f 0
store m 'b'
load m      -> 'b'
pread f 0 1 -> 'b'
`
	s, err := conformance.Parse("example.txt", strings.NewReader(text))
	if err != nil {
		log.Fatal(err)
	}
	env, err := conformance.NewEnv()
	if err != nil {
		log.Fatal(err)
	}
	defer env.Close()
	runner, err := kernel.New()
	if err != nil {
		log.Fatal(err)
	}
	for o := range conformance.Run(context.Background(), s.Cases, []conformance.Runner{runner}, env) {
		for _, a := range o.Answers {
			fmt.Printf("%s: %s: got %s\n", a.Status, a.Step.Text, a.Got)
		}
	}
	// Output:
	// met: f = file data 1p 'a': got ok
	// met: m = mmap 0 1p r|w private f 0: got ok
	// met: store m 'b': got ok
	// met: load m -> 'b': got 'b'
	// differs: pread f 0 1 -> 'b': got 'a'
}
