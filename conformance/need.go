package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// needWords are the needs that consist of one word.
var needWords = words("root user ext4 tmpfs no-hugepages thp swap amd64 64bit noexec chattr")

// needCounts are the needs that consist of a word and a number.
var needCounts = words("hugepages overcommit admin-reserve areas")

// parseNeed parses one need, as "root", "hugepages 2" or "kernel >= 6.13".
func parseNeed(text string) (Need, error) {
	f := strings.Fields(text)
	n := Need{Text: strings.Join(f, " ")}
	if len(f) > 0 {
		n.Name = f[0]
	}
	var err error
	switch {
	case len(f) == 1 && slices.Contains(needWords, n.Name):
		return n, nil
	case len(f) == 2 && slices.Contains(needCounts, n.Name):
		n.N, err = parseCount(f[1])
	case len(f) == 3 && n.Name == "kernel" && (f[1] == ">=" || f[1] == "<"):
		n.Below = f[1] == "<"
		n.Major, n.Minor, err = parseVersion(f[2])
	default:
		err = fmt.Errorf("unknown need %s, there are: kernel >= X.Y, kernel < X.Y, %s, and with a number %s", quote(text),
			strings.Join(needWords, ", "), strings.Join(needCounts, ", "))
	}
	return n, err
}

func parseCount(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("bad number %s", quote(s))
	}
	return int(n), nil
}

// parseVersion parses the first two numbers of a kernel's version.
func parseVersion(s string) (major, minor int, err error) {
	a, b, ok := strings.Cut(s, ".")
	if !ok {
		return 0, 0, fmt.Errorf("bad kernel version %s", quote(s))
	}
	if major, err = parseCount(a); err != nil {
		return 0, 0, err
	}
	minor, err = parseCount(b)
	return major, minor, err
}
