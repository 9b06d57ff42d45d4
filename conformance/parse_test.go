package conformance

import "testing"

func TestSuiteParses(t *testing.T) {
	sections, err := Suite()
	if err != nil {
		t.Fatal(err)
	}
	if len(sections) == 0 {
		t.Fatal("the embedded suite has no sections")
	}
}
