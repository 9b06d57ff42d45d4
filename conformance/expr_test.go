package conformance

import (
	"math"
	"slices"
	"testing"
)

// testNames are the names that expressions of these tests may use.
var testNames = map[string]uint64{"m": 0x10000, "i": 3, "n_2": 7}

func testEval(e Expr) (uint64, error) {
	return e.Eval(4096, func(name string) (uint64, bool) { v, ok := testNames[name]; return v, ok })
}

func TestExpr(t *testing.T) {
	tests := []struct {
		text string
		want uint64
	}{
		{"0", 0},
		{"4097", 4097},
		{"0x1F", 31},
		{"2p", 8192},
		{"0x2p", 8192},
		{"3k", 3 << 10},
		{"1M", 1 << 20},
		{"2G", 2 << 30},
		{"1T", 1 << 40},
		{"max", math.MaxUint64},
		{"-1", math.MaxUint64},
		{"max+2", 1},
		{"18446744073709551615", math.MaxUint64},
		{"m", 0x10000},
		{"m+2p-1", 0x10000 + 8191},
		{"m+i*2p", 0x10000 + 3*8192},
		{"m-i*1p", 0x10000 - 3*4096},
		{"2*i*n_2", 42},
		{"-i", math.MaxUint64 - 2},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			e, err := parseExpr(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := testEval(e); got != tt.want || err != nil {
				t.Errorf("got %d, %v, want %d", got, err, tt.want)
			}
			if got := e.String(); got != tt.text {
				t.Errorf("String: got %s, want %s", got, tt.text)
			}
		})
	}
}

func TestExprErrors(t *testing.T) {
	for _, text := range []string{
		"", "+", "-", "m+", "m*", "*m", "m++1", "--1", "m 1", "1q", "p", "0x", "0xg", "1.5", "m-", "é", "_a", "m-a b",
		"18446744073709551616", "16777216T", "99999999999T",
	} {
		e, err := parseExpr(text)
		if err != nil {
			continue
		}
		if got, err := testEval(e); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func TestExprNames(t *testing.T) {
	e, err := parseExpr("m+i*2p-n_2+max")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := e.Names(), []string{"m", "i", "n_2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	bound := e.bind(map[string]uint64{"i": 1})
	if got, want := bound.Names(), []string{"m", "n_2"}; !slices.Equal(got, want) {
		t.Errorf("bound: got %v, want %v", got, want)
	}
	if got, want := e.Names(), []string{"m", "i", "n_2"}; !slices.Equal(got, want) {
		t.Errorf("bind changed the original: got %v, want %v", got, want)
	}
}

func TestNumber(t *testing.T) {
	if got, err := testEval(Number(12)); got != 12 || err != nil {
		t.Errorf("got %d, %v, want 12", got, err)
	}
	if got, err := testEval(Expr{}); got != 0 || err != nil {
		t.Errorf("zero Expr: got %d, %v, want 0", got, err)
	}
}

func TestBytes(t *testing.T) {
	tests := []struct{ text, want string }{
		{`'a'`, "a"},
		{`' '`, " "},
		{`'\''`, "'"},
		{`'\xc3'`, "\xc3"},
		{`'\n'`, "\n"},
		{"0", "\x00"},
		{"255", "\xff"},
		{"0x41", "A"},
		{`"text"`, "text"},
		{`""`, ""},
		{`"a*\"b"`, `a*"b`},
		{`"ab"*3`, "ababab"},
		{`'*'*2`, "**"},
		{"0*4", "\x00\x00\x00\x00"},
		{`"x"*0`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			b, err := parseBytes(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := b.Expand(testEval); string(got) != tt.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestBytesErrors(t *testing.T) {
	for _, text := range []string{
		"", "256", "-1", "a", `'ab'`, `''`, `'é'`, `'a`, `"a`, `"a"b`, `"a"*`, `'a'*x*`, `"a"*2T`, "`a`b",
	} {
		b, err := parseBytes(text)
		if err != nil {
			continue
		}
		if got, err := b.Expand(testEval); err == nil {
			t.Errorf("%q: got %d bytes, want an error", text, len(got))
		}
	}
}
