package main

import (
	"strings"
	"testing"

	"github.com/memmap-go/memmap/conformance"
)

func TestDrawBars(t *testing.T) {
	whole := []conformance.Area{area("rw-s", 0, 6)}
	many := make([]conformance.Area, 9)
	for i := range many {
		many[i] = area("rw-s", uint64(8-i), 1)
	}
	tests := []struct {
		name string
		bars []bar
		want string
	}{
		{"one area", []bar{{"", whole}}, `
 ┌─────────────────┐
 │ rw-s data+0 6p  │
 └─────────────────┘`},
		{"to scale", []bar{{"", []conformance.Area{area("r--s", 0, 1), area("", 0, 2)}}}, `
 ┌────────────────┬╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┐
 │ r--s data+0 1p │ hole 2p                         │
 └────────────────┴╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘`},
		{"too wide to scale, cuts stay aligned",
			[]bar{{"before", whole}, {"after", []conformance.Area{area("r--s", 0, 1), area("", 0, 1), area("r--s", 2, 4)}}}, `
       ┌────────────────────────────────────────────┐
before │ rw-s data+0 6p                             │
       └────────────────────────────────────────────┘
       ┌────────────────┬╌╌╌╌╌╌╌╌╌┬─────────────────┐
after  │ r--s data+0 1p │ hole 1p │ r--s data+2p 4p │
       └────────────────┴╌╌╌╌╌╌╌╌╌┴─────────────────┘`},
		{"longer than an int", []bar{{"", []conformance.Area{area("r--s", 0, 1), area("", 0, 1<<51)}}}, `
 ┌────────────────┬╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┐
 │ r--s data+0 1p │ hole 2251799813685248p │
 └────────────────┴╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘`},
		{"no room at all", []bar{{"", many}}, ""},
	}
	for _, tt := range tests {
		got := strings.Join(drawBars(tt.bars, page), "\n")
		if want := strings.TrimPrefix(tt.want, "\n"); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
		}
	}
}
