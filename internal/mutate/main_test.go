package main

import (
	"go/parser"
	"go/token"
	"testing"
)

// TestMutationsApply keeps the list in step with the source.
func TestMutationsApply(t *testing.T) {
	for _, m := range mutations {
		text, err := m.apply("../..")
		if err != nil {
			t.Errorf("%s: %v", m.what, err)
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), m.file, text, 0); err != nil {
			t.Errorf("%s: %v", m.what, err)
		}
	}
	if len(mutations) < 30 {
		t.Errorf("%d mutations are too few", len(mutations))
	}
}
