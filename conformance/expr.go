package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// An Expr is a sum of products of numbers and names, as in m+i*2p-1.
// Arithmetic is that of addresses: it wraps at 2^64, so -1 is the highest one.
// The zero Expr is the number 0.
type Expr struct {
	text  string
	terms []term
}

type term struct {
	minus   bool
	factors []factor
}

// A factor is a number, a number of pages, or a name.
type factor struct {
	num   uint64
	pages bool
	name  string
}

// Number returns the expression that is the number n.
func Number(n uint64) Expr {
	return Expr{text: strconv.FormatUint(n, 10), terms: []term{{factors: []factor{{num: n}}}}}
}

// String returns the expression as it was written.
func (e Expr) String() string {
	if e.text == "" {
		return "0"
	}
	return e.text
}

// Names returns the names in the expression, in order.
func (e Expr) Names() []string {
	var names []string
	for _, t := range e.terms {
		for _, f := range t.factors {
			if f.name != "" {
				names = append(names, f.name)
			}
		}
	}
	return names
}

// Eval gives the expression's value where a page has page bytes and lookup knows the names.
func (e Expr) Eval(page uint64, lookup func(name string) (uint64, bool)) (uint64, error) {
	var sum uint64
	for _, t := range e.terms {
		product := uint64(1)
		for _, f := range t.factors {
			v, err := f.eval(page, lookup)
			if err != nil {
				return 0, err
			}
			product *= v
		}
		if t.minus {
			product = -product
		}
		sum += product
	}
	return sum, nil
}

func (f factor) eval(page uint64, lookup func(name string) (uint64, bool)) (uint64, error) {
	switch {
	case f.name != "":
		if v, ok := lookup(f.name); ok {
			return v, nil
		}
		return 0, fmt.Errorf("%s has no value", f.name)
	case f.pages:
		return f.num * page, nil
	}
	return f.num, nil
}

// bind returns the expression with counters replaced by their values.
func (e Expr) bind(counters map[string]uint64) Expr {
	bound := Expr{text: e.text, terms: make([]term, len(e.terms))}
	for i, t := range e.terms {
		fs := make([]factor, len(t.factors))
		for j, f := range t.factors {
			if v, ok := counters[f.name]; ok {
				f = factor{num: v}
			}
			fs[j] = f
		}
		bound.terms[i] = term{t.minus, fs}
	}
	return bound
}

// parseExpr parses an expression. It doesn't know which names have values.
func parseExpr(s string) (Expr, error) {
	e := Expr{text: s}
	rest := s
	for {
		minus := strings.HasPrefix(rest, "-")
		if minus || len(e.terms) > 0 {
			rest = rest[1:] // the sign; after the first term there is one
		}
		end := strings.IndexAny(rest, "+-")
		if end < 0 {
			end = len(rest)
		}
		fs, err := parseProduct(rest[:end])
		if err != nil {
			return Expr{}, fmt.Errorf("%w in expression %s", err, quote(s))
		}
		e.terms = append(e.terms, term{minus, fs})
		if rest = rest[end:]; rest == "" {
			return e, nil
		}
	}
}

func parseProduct(s string) ([]factor, error) {
	var fs []factor
	for part := range strings.SplitSeq(s, "*") {
		f, err := parseFactor(part)
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil
}

func parseFactor(s string) (factor, error) {
	switch {
	case s == "max":
		return factor{num: math.MaxUint64}, nil
	case isName(s):
		return factor{name: s}, nil
	}
	return parseNumber(s)
}

// parseNumber parses a decimal or hexadecimal number with an optional unit.
func parseNumber(s string) (factor, error) {
	if s == "" {
		return factor{}, errors.New("missing number or name")
	}
	units := map[byte]uint64{'p': 1, 'k': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}
	digits, unit, pages := s, uint64(1), false
	if u, ok := units[s[len(s)-1]]; ok {
		digits, unit, pages = s[:len(s)-1], u, s[len(s)-1] == 'p'
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || n > math.MaxUint64/unit {
		return factor{}, fmt.Errorf("bad number %s", quote(s))
	}
	return factor{num: n * unit, pages: pages}, nil
}

// isName reports whether s may name an address, a descriptor, a process or a counter.
func isName(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && (i == 0 || !digit && c != '_') {
			return false
		}
	}
	return s != "" && s != "max" && s != "not"
}

// Bytes is a run of bytes: a unit, repeated.
type Bytes struct {
	Unit  []byte
	Times Expr
}

// maxBytes bounds what one step may spell out.
const maxBytes = 1 << 30

// Expand gives the bytes themselves; eval gives Times its value.
func (b Bytes) Expand(eval func(Expr) (uint64, error)) ([]byte, error) {
	n, err := eval(b.Times)
	if err != nil {
		return nil, err
	}
	if len(b.Unit) > 0 && n > maxBytes/uint64(len(b.Unit)) {
		return nil, fmt.Errorf("more than %d bytes", maxBytes)
	}
	return bytes.Repeat(b.Unit, int(n)), nil
}

// parseBytes parses 'a', a number from 0 to 255 or "text", each with an optional *N.
func parseBytes(s string) (Bytes, error) {
	unit, times := s, "1"
	if i := unitEnd(s); i < len(s) && s[i] == '*' {
		unit, times = s[:i], s[i+1:]
	}
	u, err := parseUnit(unit)
	if err != nil {
		return Bytes{}, err
	}
	n, err := parseExpr(times)
	if err != nil {
		return Bytes{}, err
	}
	return Bytes{Unit: u, Times: n}, nil
}

// unitEnd finds where the first byte, number or text in s ends.
func unitEnd(s string) int {
	if q, err := strconv.QuotedPrefix(s); err == nil {
		return len(q)
	}
	if i := strings.IndexByte(s, '*'); i >= 0 {
		return i
	}
	return len(s)
}

func parseUnit(s string) ([]byte, error) {
	switch {
	case strings.HasPrefix(s, "'"):
		return parseChar(s)
	case strings.HasPrefix(s, `"`):
		text, err := strconv.Unquote(s)
		if err != nil {
			return nil, fmt.Errorf("bad text %s", quote(s))
		}
		return []byte(text), nil
	}
	n, err := strconv.ParseUint(s, 0, 8)
	if err != nil {
		return nil, fmt.Errorf("bad byte %s", quote(s))
	}
	return []byte{byte(n)}, nil
}

func parseChar(s string) ([]byte, error) {
	r, multibyte, tail, err := strconv.UnquoteChar(strings.TrimPrefix(s, "'"), '\'')
	if err != nil || multibyte || tail != "'" {
		return nil, fmt.Errorf("bad byte %s", quote(s))
	}
	return []byte{byte(r)}, nil
}
