package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fields returns the names of a type's fields in JSON, and those that may be missing.
func fields(typ reflect.Type) (all, optional []string) {
	for f := range typ.Fields() {
		if f.Anonymous {
			a, o := fields(f.Type)
			all, optional = append(all, a...), append(optional, o...)
			continue
		}
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, name)
		if option == "omitempty" {
			optional = append(optional, name)
		}
	}
	return all, optional
}

var objectTypes = map[string]reflect.Type{
	"step":    reflect.TypeFor[stepObject](),
	"case":    reflect.TypeFor[caseObject](),
	"summary": reflect.TypeFor[summaryObject](),
}

// TestJSONSchema checks that each line is an object of a documented type, with the fields of this type and no others.
func TestJSONSchema(t *testing.T) {
	for _, file := range []string{"tour.txt", "broken.txt", "parts.txt"} {
		_, stdout, _ := runCommand(t, []runnerKind{alpha().kind(), brokenBeta().kind()}, "tour", "--json", "--cases", "testdata/"+file)
		lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
		for i, line := range lines {
			var object map[string]any
			if err := json.Unmarshal([]byte(line), &object); err != nil {
				t.Fatalf("%s: %v in %s", file, err, line)
			}
			kind, _ := object["type"].(string)
			if objectTypes[kind] == nil {
				t.Fatalf("%s: type %q in %s", file, kind, line)
			}
			checkFields(t, object, objectTypes[kind])
			if last := i == len(lines)-1; last != (kind == "summary") {
				t.Errorf("%s: line %d of %d is a %s", file, i+1, len(lines), kind)
			}
		}
	}
}

func checkFields(t *testing.T, object map[string]any, typ reflect.Type) {
	t.Helper()
	all, optional := fields(typ)
	for _, name := range all {
		if _, ok := object[name]; !ok && !slices.Contains(optional, name) {
			t.Errorf("no field %s in %v", name, object)
		}
	}
	for name := range maps.Keys(object) {
		if !slices.Contains(all, name) {
			t.Errorf("field %s in %v, want none of this name", name, object)
		}
	}
}

// TestJSONCounts checks that the summary says what the objects before it say.
func TestJSONCounts(t *testing.T) {
	_, stdout, _ := runCommand(t, []runnerKind{alpha().kind(), brokenBeta().kind()}, "tour", "--json",
		"--cases", "testdata/tour.txt", "--cases", "testdata/broken.txt")
	var cases, skips, fails int
	agreed := map[string]int{}
	dec := json.NewDecoder(strings.NewReader(stdout))
	for dec.More() {
		var o struct {
			Type    string
			OK      bool
			Skipped any // a word, or a number in the summary
			Status  map[string]status

			Cases, Failed int
			Runners       []stepsOf
		}
		if err := dec.Decode(&o); err != nil {
			t.Fatal(err)
		}
		switch o.Type {
		case "step":
			for name, s := range o.Status {
				if s == agree {
					agreed[name]++
				}
			}
		case "case":
			cases++
			if o.Skipped != nil {
				skips++
			}
			if !o.OK {
				fails++
			}
		case "summary":
			if o.Cases != cases || o.Skipped != float64(skips) || o.Failed != fails {
				t.Errorf("summary: %d cases, %v skipped, %d failed; the cases say %d, %d, %d",
					o.Cases, o.Skipped, o.Failed, cases, skips, fails)
			}
			for _, r := range o.Runners {
				if r.Agreed != agreed[r.Runner] {
					t.Errorf("summary: %s agreed to %d steps; the steps say %d", r.Runner, r.Agreed, agreed[r.Runner])
				}
			}
		}
	}
}

// TestHelpNamesFields checks that the help tells every field and status.
func TestHelpNamesFields(t *testing.T) {
	_, help, _ := runCommand(t, nil, "tour", "--help")
	words := []string{string(agree), string(mismatch), string(notExpressed), string(broken), string(notRun), string(skipped)}
	for _, typ := range []reflect.Type{objectTypes["step"], objectTypes["case"], objectTypes["summary"], reflect.TypeFor[stepsOf]()} {
		all, _ := fields(typ)
		words = append(words, all...)
	}
	for _, word := range words {
		if !strings.Contains(help, word) {
			t.Errorf("the help doesn't tell %q", word)
		}
	}
}
