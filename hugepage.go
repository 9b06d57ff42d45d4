package memmap

import (
	"bufio"
	"bytes"
	"fmt"
	"math/bits"
	"os"
	"sync"

	"github.com/memmap-go/memmap/internal/sys"
)

// page returns the size of the pages that anonymous memory is made of, and for
// huge ones its base-2 logarithm.
func (h HugePages) page() (size int64, log2 int) {
	switch h {
	case NoHuge:
		return int64(sys.PageSize), 0
	case DefaultHuge:
		size = defaultHugePage()
	default:
		size = int64(h)
	}
	return size, bits.TrailingZeros64(uint64(size))
}

// defaultHugePage reads the size from /proc/meminfo, where "Hugepagesize" is
// the one that MAP_HUGETLB means without a size.
var defaultHugePage = sync.OnceValue(func() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return int64(Huge2M)
	}
	return hugePageSize(text)
})

func hugePageSize(meminfo []byte) int64 {
	lines := bufio.NewScanner(bytes.NewReader(meminfo))
	for lines.Scan() {
		var kilobytes int64
		if n, _ := fmt.Sscanf(lines.Text(), "Hugepagesize: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return int64(Huge2M)
}
