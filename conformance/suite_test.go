package conformance

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSuiteCoversRules checks that each rule of RULES.md has a case, and that cases name no others.
func TestSuiteCoversRules(t *testing.T) {
	sections, err := Suite()
	if err != nil {
		t.Fatal(err)
	}
	rules := readRules(t)
	checked := map[int]bool{}
	for _, s := range sections {
		for _, c := range s.Cases {
			for _, n := range c.Rules {
				checked[n] = true
				if !slices.Contains(rules, n) {
					t.Errorf("%s:%d: case %s checks rule %d, which RULES.md doesn't have", c.File, c.Line, c.Name, n)
				}
			}
		}
	}
	for _, n := range rules {
		if !checked[n] {
			t.Errorf("no case checks rule %d", n)
		}
	}
}

// readRules returns the numbers of all rules.
func readRules(t *testing.T) []int {
	text, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	var rules []int
	for _, m := range regexp.MustCompile(`(?m)^- \*\*(\d+)\.\*\*`).FindAllSubmatch(text, -1) {
		n, err := strconv.Atoi(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		rules = append(rules, n)
	}
	if len(rules) < 72 {
		t.Errorf("found %d rules, want at least 72", len(rules))
	}
	return rules
}

func TestCheckNames(t *testing.T) {
	parse := func(file, names string) *Section {
		text := "section: s\n"
		for name := range strings.FieldsSeq(names) {
			text += "case " + name + ": what\nmunlockall\n"
		}
		s, err := Parse(file, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a, b := parse("a.txt", "x y"), parse("b.txt", "z y x")
	if err := CheckNames([]*Section{a, parse("c.txt", "z")}); err != nil {
		t.Errorf("different names: got error %v", err)
	}
	for _, tt := range []struct {
		sections []*Section
		want     string
	}{
		{[]*Section{a, b}, "b.txt:4: second case y, the first is at a.txt:4"},
		{[]*Section{a, a}, "a.txt:2: second case x, the first is at a.txt:2"},
	} {
		if err := CheckNames(tt.sections); err == nil || err.Error() != tt.want {
			t.Errorf("got error %v, want %s", err, tt.want)
		}
	}
}

// TestSuiteIsDocumented checks that each case says what it checks and where that is from.
func TestSuiteIsDocumented(t *testing.T) {
	sections, err := Suite()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sections {
		for _, c := range s.Cases {
			if c.Source == "" || len(c.Rules) == 0 {
				t.Errorf("%s:%d: case %s has no source or no rule", c.File, c.Line, c.Name)
			}
		}
	}
}
