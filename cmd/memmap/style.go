package main

import (
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"
)

// A style writes text in colour, if it is on.
type style struct{ on bool }

func (s style) sgr(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) bold(text string) string  { return s.sgr("1", text) }
func (s style) dim(text string) string   { return s.sgr("2", text) }
func (s style) red(text string) string   { return s.sgr("31", text) }
func (s style) green(text string) string { return s.sgr("32", text) }

// of writes text in the colour of a status.
func (s style) of(st status, text string) string {
	switch st {
	case agree:
		return s.green(text)
	case mismatch, broken:
		return s.red(text)
	}
	return s.dim(text)
}

// wantsColour reports whether f is a terminal that shows colours, and the user did not say no (https://no-color.org).
func wantsColour(f *os.File, getenv func(string) string) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice != 0 && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// pad fills text with blanks up to width columns. Every character we write is one column wide.
func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// padLeft puts the blanks in front.
func padLeft(text string, width int) string {
	return strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text))) + text
}
