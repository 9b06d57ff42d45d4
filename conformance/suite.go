package conformance

import (
	"embed"
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
	seen := map[string]*Case{}
	for _, name := range files {
		s, err := parseEmbedded(name)
		if err != nil {
			return nil, err
		}
		for _, c := range s.Cases {
			if other := seen[c.Name]; other != nil {
				return nil, fmt.Errorf("%s:%d: second case %s, the first is %s:%d", c.File, c.Line, c.Name, other.File, other.Line)
			}
			seen[c.Name] = c
		}
		sections = append(sections, s)
	}
	return sections, nil
}

func parseEmbedded(name string) (*Section, error) {
	f, err := testdata.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Parse(name, f)
}
