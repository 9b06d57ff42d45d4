package main

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/memmap-go/memmap/conformance"
)

// pictureWidth is how wide a picture may get, in columns.
const pictureWidth = 96

// A bar is a run of areas, drawn as boxes side by side. All bars of a picture show the same addresses.
type bar struct {
	label string // stands in front
	areas []conformance.Area
}

// A layout gives offsets from a picture's first address their columns.
type layout map[uint64]int

// drawBars draws bars one below the other: with all pages equally wide if there is room, otherwise with boxes as
// narrow as can be. It returns nil if there is no room for that either.
func drawBars(bars []bar, page uint64) []string {
	indent := 0
	for _, b := range bars {
		indent = max(indent, utf8.RuneCountInString(b.label)+1)
	}
	for _, l := range []layout{toScale(bars, page), narrow(bars, page)} {
		if l.width() <= pictureWidth-indent {
			return drawIn(l, bars, page, indent)
		}
	}
	return nil
}

func drawIn(l layout, bars []bar, page uint64, indent int) []string {
	var lines []string
	for _, b := range bars {
		box := b.draw(l, page)
		lines = append(lines, pad("", indent)+box[0], pad(b.label, indent)+box[1], pad("", indent)+box[2])
	}
	return lines
}

// toScale makes every page so wide that each caption has room.
func toScale(bars []bar, page uint64) layout {
	perPage := 1
	for _, b := range bars {
		for _, a := range b.areas {
			// Beyond a picture's width the number of pages makes no difference.
			pages := int(min(max(a.Len/page, 1), pictureWidth))
			perPage = max(perPage, (room(a, page)+pages-1)/pages)
		}
	}
	l := layout{}
	for _, cut := range cuts(bars) {
		l[cut] = int(min(cut/page, pictureWidth)) * perPage
	}
	return l
}

// narrow moves each end of an area as far to the left as the captions before it allow.
func narrow(bars []bar, page uint64) layout {
	l := layout{}
	for _, cut := range cuts(bars) {
		for _, b := range bars {
			start := uint64(0)
			for _, a := range b.areas {
				if start += a.Len; start == cut {
					l[cut] = max(l[cut], l[start-a.Len]+room(a, page))
				}
			}
		}
	}
	return l
}

// cuts returns where areas begin and end, in order.
func cuts(bars []bar) []uint64 {
	set := map[uint64]bool{0: true}
	for _, b := range bars {
		end := uint64(0)
		for _, a := range b.areas {
			end += a.Len
			set[end] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// width is the column of the last border.
func (l layout) width() int {
	n := 0
	for _, column := range l {
		n = max(n, column)
	}
	return n + 1
}

// caption is what stands in an area's box: as the language writes it.
func caption(a conformance.Area, page uint64) string {
	return conformance.Areas([]conformance.Area{a}).Format(page)
}

// room is how wide an area's box must be, with its left border alone.
func room(a conformance.Area, page uint64) int { return utf8.RuneCountInString(caption(a, page)) + 3 }

// draw returns the three lines of a bar. The borders of a hole are dotted.
func (b bar) draw(l layout, page uint64) [3]string {
	var top, middle, bottom strings.Builder
	upper, lower := "┌", "└"
	end := uint64(0)
	for _, a := range b.areas {
		start := end
		end += a.Len
		line := "─"
		if a.Perms == "" {
			line = "╌"
		}
		width := l[end] - l[start] - 1
		top.WriteString(upper + strings.Repeat(line, width))
		middle.WriteString("│" + pad(" "+caption(a, page), width))
		bottom.WriteString(lower + strings.Repeat(line, width))
		upper, lower = "┬", "┴"
	}
	return [3]string{top.String() + "┐", middle.String() + "│", bottom.String() + "┘"}
}
