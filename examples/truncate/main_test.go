package main

import (
	"bytes"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestMain lets the test binary be the program.
func TestMain(m *testing.M) {
	if kind, isChild := os.LookupEnv(childEnv); isChild {
		exitOn(program(kind, os.Args[1]))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestRun(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	var out bytes.Buffer
	if err := run(&out); err != nil {
		t.Fatal(err)
	}
	t.Log(out.String())
	bare, ours, found := strings.Cut(out.String(), "2. A mapping of package memmap")
	if !found {
		t.Fatal("there is no second part")
	}
	wantLines(t, "bare", bare, `page 0: checksum`, `truncates the file`, `SIGBUS`, `is dead: exit status 2`)
	wantLines(t, "ours", ours, `page 0: checksum`, `truncates the file`,
		`page 1: error: memmap: .*data at [0-9]+: memory fault: page lies beyond the end of the file`, `offset [1-9][0-9]*, truncated: true`,
		`page 2: error: `, `offset [1-9][0-9]*, truncated: true`, `ends well`)
	if strings.Contains(bare, "ends well") || strings.Contains(ours, "is dead") {
		t.Error("the wrong program has died")
	}
}

// wantLines looks for patterns, one after the other.
func wantLines(t *testing.T, what, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		at := regexp.MustCompile(p).FindStringIndex(text)
		if at == nil {
			t.Errorf("%s: there is no %q in\n%s", what, p, text)
			return
		}
		text = text[at[1]:]
	}
}
