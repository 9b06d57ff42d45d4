package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/memmap-go/memmap/conformance"
)

func suiteGroups(t *testing.T) []*group {
	t.Helper()
	groups, err := loadGroups(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

func TestSelectGroups(t *testing.T) {
	groups := suiteGroups(t)
	file := []string{"49.4.1", "49.4.2", "49.4.3", "49.4.4"}
	tests := []struct {
		args string
		want []string // numbers
	}{
		{"49.1", []string{"49.1"}},
		{"49.01", []string{"49.1"}},
		{"49.10", []string{"49.10"}},
		{"49.4", file},
		{"49.04", file},
		{"49.4.3", []string{"49.4.3"}},
		{"49.04-file", file},
		{"49.04-file.txt", file},
		{"file", file},
		{"mre", []string{"49.8"}},
		{"49.11 49.2 49.2", []string{"49.2", "49.11"}},
		{"49.4.2 49.4", file},
	}
	for _, tt := range tests {
		found, err := selectGroups(groups, strings.Fields(tt.args))
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
		}
		var got []string
		for _, g := range found {
			got = append(got, number(g.title()))
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: got %q, want %q", tt.args, got, tt.want)
		}
	}
}

// TestSelectCases names cases, alone and beside sections.
func TestSelectCases(t *testing.T) {
	groups := suiteGroups(t)
	tests := []struct {
		args  string
		want  []string // numbers of the groups
		cases []int    // how many in each
		named int      // how many of them all by name
	}{
		{"tail-reads-zero", []string{"49.4.3"}, []int{1}, 1},
		{"tail-reads-zero unmap-middle memory-mapped-io", []string{"49.3", "49.4.2", "49.4.3"}, []int{1, 1, 1}, 3},
		{"tail-reads-zero tail-reads-zero", []string{"49.4.3"}, []int{1}, 1},
		{"49.4.3 tail-reads-zero", []string{"49.4.3"}, []int{casesIn(groups, "49.4.3")}, 1},
	}
	for _, tt := range tests {
		found, err := selectGroups(groups, strings.Fields(tt.args))
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		var got []string
		var cases []int
		named := 0
		for _, g := range found {
			got, cases = append(got, number(g.title())), append(cases, len(g.cases))
			for _, c := range g.cases {
				if g.named[c] {
					named++
				}
			}
		}
		if !slices.Equal(got, tt.want) || !slices.Equal(cases, tt.cases) || named != tt.named {
			t.Errorf("%s: got groups %q with %d cases, %d named; want %q with %d, %d named",
				tt.args, got, cases, named, tt.want, tt.cases, tt.named)
		}
	}
}

// casesIn is how many cases the group of a number has.
func casesIn(groups []*group, want string) int {
	for _, g := range groups {
		if number(g.title()) == want {
			return len(g.cases)
		}
	}
	return 0
}

func TestSelectGroupsUnknown(t *testing.T) {
	groups := suiteGroups(t)
	for _, arg := range []string{"49.12", "49.4.5", "50", "49.4.3.1", "chapter", "-"} {
		_, err := selectGroups(groups, []string{"49.1", arg})
		if err == nil || !strings.Contains(err.Error(), arg) || !strings.Contains(err.Error(), "49.4.3 Boundary Cases") {
			t.Errorf("%s: got error %v, want one that lists the sections", arg, err)
		}
	}
}

// TestSuiteIsComplete checks that every case of the suite is in exactly one group.
func TestSuiteIsComplete(t *testing.T) {
	sections, err := conformance.Suite()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, s := range sections {
		for _, c := range s.Cases {
			want[c.Name] = true
		}
	}
	for _, g := range suiteGroups(t) {
		for _, c := range g.cases {
			if !want[c.Name] {
				t.Errorf("case %s is in two groups", c.Name)
			}
			delete(want, c.Name)
		}
	}
	for name := range want {
		t.Errorf("case %s is in no group", name)
	}
}

// TestChapter holds what we say about the chapter against the suite.
func TestChapter(t *testing.T) {
	known := map[string]bool{}
	begun := map[string]bool{}
	for _, g := range suiteGroups(t) {
		known[number(g.section.Title)] = true
		known[number(g.title())] = true
		begun[g.part] = true
	}
	for n := range known {
		if introductions[n] == "" {
			t.Errorf("section %s has no introduction", n)
		}
	}
	for n, text := range introductions {
		if !known[n] {
			t.Errorf("there is an introduction to %s, but no such section", n)
		}
		for line := range strings.Lines(text) {
			if width := utf8.RuneCountInString(strings.TrimSpace(line)); width > 108 {
				t.Errorf("introduction to %s: a line of %d characters, want at most 108", n, width)
			}
		}
	}
	for _, p := range parts {
		if !begun[p.title] {
			t.Errorf("part %s: no case %s in section %s", p.title, p.first, p.section)
		}
	}
}

// TestLegend checks that the steps that the legend explains are steps.
func TestLegend(t *testing.T) {
	text, steps := "section: s\ncase c: what\n", 0
	for _, line := range legend[slices.IndexFunc(legend, func(l string) bool { return strings.HasPrefix(l, "How to") }):] {
		if utf8.RuneCountInString(line) > 108 {
			t.Errorf("%q: longer than 108 characters", line)
		}
		if step, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), "  "); strings.HasPrefix(line, "  ") && step != "" {
			text += step + "\n"
			steps++
		}
	}
	text = strings.Replace(text, "kid:", "fork kid\nkid:", 1)
	s, err := conformance.Parse("legend", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := len(s.Cases[0].Steps); got != steps+1 || steps < 9 {
		t.Errorf("got %d steps out of %d lines and fork", got, steps)
	}
}

func TestNumber(t *testing.T) {
	tests := map[string]string{
		"49.4 File Mappings": "49.4",
		"49.04":              "49.4",
		"49.4.3":             "49.4.3",
		"49":                 "49",
		"49.":                "",
		"mremap":             "",
		"":                   "",
		"49.-1":              "",
	}
	for title, want := range tests {
		if got := number(title); got != want {
			t.Errorf("number(%q): got %q, want %q", title, got, want)
		}
	}
}

func TestGuided(t *testing.T) {
	env, err := conformance.NewEnv()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Close(); err != nil {
			t.Error(err)
		}
	})
	const told = "> A word.\nmunlockall\n"
	section, err := conformance.Parse("guided.txt", strings.NewReader("section: s\n"+
		"case a: untold\nmunlockall\ncase b: skipped\nneeds: areas 1\n"+told+
		"case c: first\n"+told+"case d: second\n"+told+"case e: third\n"+told))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		part string
		want []string
	}{{"", []string{"c", "d"}}, {"a part", []string{"c"}}} {
		g := group{section: section, part: tt.part, cases: section.Cases}
		guided := g.guided(env)
		var got []string
		for _, c := range section.Cases {
			if guided[c] {
				got = append(got, c.Name)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("part %q: got %q, want %q", tt.part, got, tt.want)
		}
	}
}
