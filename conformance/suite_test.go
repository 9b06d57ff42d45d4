package conformance

import (
	"os"
	"regexp"
	"slices"
	"strconv"
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
