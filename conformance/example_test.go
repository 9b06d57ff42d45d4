package conformance_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/memmap-go/memmap/conformance"
)

func ExampleParse() {
	const text = `section: 49.4.3 Boundary cases

case beyond-the-end: a page beyond the end of the file can be mapped, but not touched

f = file data 1p
m = mmap 0 2p r shared f 0
load m+1p      -> BUS_ADRERR
`
	s, err := conformance.Parse("example.txt", strings.NewReader(text))
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range s.Cases[0].Steps {
		fmt.Printf("line %d: %s must give %s\n", step.Line, step.Op, step.Want)
	}
	// Output:
	// line 5: file must give ok
	// line 6: mmap must give ok
	// line 7: load must give BUS_ADRERR
}
