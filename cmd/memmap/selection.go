package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/memmap-go/memmap/conformance"
)

// A group is what is shown under one heading: a section, or a numbered part of it.
type group struct {
	section *conformance.Section
	part    string // the part's title, "" if the section has no parts
	cases   []*conformance.Case
	named   map[*conformance.Case]bool // those that were asked for by their names
}

// title is what the heading says.
func (g *group) title() string {
	if g.part != "" {
		return g.part
	}
	return g.section.Title
}

// loadGroups reads the cases: those of the own suite if no paths are given.
func loadGroups(paths []string, stdin io.Reader) ([]*group, error) {
	sections, err := loadSections(paths, stdin)
	if err != nil {
		return nil, err
	}
	var groups []*group
	for _, s := range sections {
		groups = append(groups, splitSection(s)...)
	}
	return groups, nil
}

func loadSections(paths []string, stdin io.Reader) ([]*conformance.Section, error) {
	if len(paths) == 0 {
		return loadSuite()
	}
	files, err := caseFiles(paths)
	if err != nil {
		return nil, err
	}
	var sections []*conformance.Section
	var errs []error
	for _, name := range files {
		s, err := parseFile(name, stdin)
		sections, errs = append(sections, s), append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return sections, conformance.CheckNames(sections)
}

// stdinPath stands for standard input.
const stdinPath = "-"

// loadSuite reads the suite, and names its files as they are found in the repository.
func loadSuite() ([]*conformance.Section, error) {
	sections, err := conformance.Suite()
	for _, s := range sections {
		for _, c := range s.Cases {
			c.File = path.Join("conformance", c.File)
		}
	}
	return sections, err
}

// caseFiles replaces directories by the case files in them.
func caseFiles(paths []string) ([]string, error) {
	var files []string
	for _, name := range paths {
		if name == stdinPath {
			files = append(files, name)
			continue
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, name)
			continue
		}
		inside, err := filepath.Glob(filepath.Join(name, "*.txt"))
		if err != nil {
			return nil, err
		}
		if len(inside) == 0 {
			return nil, fmt.Errorf("%s: no case files (*.txt) in this directory", name)
		}
		files = append(files, inside...)
	}
	return files, nil
}

func parseFile(name string, stdin io.Reader) (*conformance.Section, error) {
	if name == stdinPath {
		return conformance.Parse("stdin", stdin)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return conformance.Parse(name, f)
}

// splitSection divides a section into the parts that the chapter numbers, if it has such parts.
func splitSection(s *conformance.Section) []*group {
	groups := []*group{{section: s}}
	for _, c := range s.Cases {
		if part := partThatBegins(s, c); part != "" {
			groups = append(groups, &group{section: s, part: part})
		}
		last := groups[len(groups)-1]
		last.cases = append(last.cases, c)
	}
	return slices.DeleteFunc(groups, func(g *group) bool { return len(g.cases) == 0 })
}

// selectGroups returns what the arguments name, in the order of the chapter; all if there are none. A group of which
// only cases are named has no others.
func selectGroups(groups []*group, args []string) ([]*group, error) {
	if len(args) == 0 {
		return groups, nil
	}
	chosen, named := map[*group]bool{}, map[*conformance.Case]bool{}
	for _, arg := range args {
		found, c := findGroups(groups, arg), findCase(groups, arg)
		if len(found) == 0 && c == nil {
			return nil, fmt.Errorf("no section or case %q, there are these sections, and --list lists the cases:\n%s",
				arg, strings.Join(titles(groups), "\n"))
		}
		for _, g := range found {
			chosen[g] = true
		}
		if len(found) == 0 {
			named[c] = true
		}
	}
	var selected []*group
	for _, g := range groups {
		s := *g
		s.named = named
		if !chosen[g] {
			s.cases = slices.DeleteFunc(slices.Clone(g.cases), func(c *conformance.Case) bool { return !named[c] })
		}
		if len(s.cases) > 0 {
			selected = append(selected, &s)
		}
	}
	return selected, nil
}

// findCase finds a case by its name, or returns nil.
func findCase(groups []*group, name string) *conformance.Case {
	for _, g := range groups {
		for _, c := range g.cases {
			if c.Name == name {
				return c
			}
		}
	}
	return nil
}

// findGroups finds what one argument names: by number if it is one, otherwise by the beginning of the file's name.
func findGroups(groups []*group, arg string) []*group {
	byNumber := func(g *group) bool { return g.hasNumber(arg) }
	byName := func(g *group) bool { return g.hasName(arg) }
	if found := filter(groups, byNumber); len(found) > 0 {
		return found
	}
	return filter(groups, byName)
}

func filter(groups []*group, keep func(*group) bool) []*group {
	return slices.DeleteFunc(slices.Clone(groups), func(g *group) bool { return !keep(g) })
}

// hasNumber reports whether the argument is the number of the group or of what the group is a part of.
func (g *group) hasNumber(arg string) bool {
	want := number(arg)
	if want == "" {
		return false
	}
	for _, title := range []string{g.part, g.section.Title} {
		if have := number(title); have == want || strings.HasPrefix(have, want+".") {
			return true
		}
	}
	return false
}

// hasName reports whether the file's name begins with the argument, with or without the number in front.
func (g *group) hasName(arg string) bool {
	_, word, _ := strings.Cut(g.section.Name, "-")
	arg = strings.TrimSuffix(arg, ".txt")
	return strings.HasPrefix(g.section.Name, arg) || strings.HasPrefix(word, arg)
}

// number returns the section number that a title begins with, without leading zeros: 49.4 for 49.04.
func number(title string) string {
	first, _, _ := strings.Cut(title, " ")
	parts := strings.Split(first, ".")
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return ""
		}
		parts[i] = strconv.FormatUint(n, 10)
	}
	return strings.Join(parts, ".")
}

// titles lists the sections and parts by which groups can be selected.
func titles(groups []*group) []string {
	var list []string
	var section *conformance.Section
	for _, g := range groups {
		if g.section != section {
			section = g.section
			list = append(list, fmt.Sprintf("  %-20s %s", section.Name, section.Title))
		}
		if g.part != "" {
			list = append(list, fmt.Sprintf("  %-20s   %s", "", g.part))
		}
	}
	return list
}

// guided picks the cases that are shown step by step: those that were asked for, otherwise the first ones with
// narration that run here.
func (g *group) guided(env *conformance.Env) map[*conformance.Case]bool {
	most := 2
	if g.part != "" {
		most = 1
	}
	picked := map[*conformance.Case]bool{}
	for _, c := range g.cases {
		if g.named[c] {
			picked[c] = true
		}
	}
	for _, c := range g.cases {
		if len(picked) < most && isNarrated(c) && env.Unmet(c) == "" {
			picked[c] = true
		}
	}
	return picked
}

func isNarrated(c *conformance.Case) bool {
	return slices.ContainsFunc(c.Steps, func(s conformance.Step) bool { return len(s.Say) > 0 })
}
