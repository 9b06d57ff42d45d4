package conformance

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed testdata/*.txt
var testdata embed.FS

// Suite returns the sections of this package's own suite, in the chapter's order.
// Case names are unique in all of it.
func Suite() ([]*Section, error) {
	files, err := fs.Glob(testdata, "testdata/*.txt")
	if err != nil {
		return nil, err
	}
	var sections []*Section
	for _, name := range files {
		s, err := parseEmbedded(name)
		if err != nil {
			return nil, err
		}
		sections = append(sections, s)
	}
	return sections, CheckNames(sections)
}

// CheckNames reports cases of one name in sections that are to run together. [Parse] does so for a single file.
func CheckNames(sections []*Section) error {
	var errs []error
	seen := map[string]*Case{}
	for _, s := range sections {
		for _, c := range s.Cases {
			if other := seen[c.Name]; other != nil {
				errs = append(errs, fmt.Errorf("%s:%d: second case %s, the first is at %s:%d", c.File, c.Line, c.Name, other.File, other.Line))
				break // one a file is enough: it may be a copy
			}
			seen[c.Name] = c
		}
	}
	return errors.Join(errs...)
}

func parseEmbedded(name string) (*Section, error) {
	f, err := testdata.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(name, f)
}
