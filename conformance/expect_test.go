package conformance

import "testing"

func TestExpectation(t *testing.T) {
	anon := Area{Perms: "rw-p", Object: "anon", Len: 4096}
	file := Area{Perms: "r--s", Object: "data", Off: 8192, Len: 8192}
	gap := Area{Object: "hole", Len: 4096}
	tests := []struct {
		op, want string
		got      Result
		met      bool
		describe string
	}{
		{"munmap", "ok", OK(), true, "ok"},
		{"munmap", "ok", Errno("EINVAL"), false, "EINVAL"},
		{"load", "ok", Data([]byte("a")), true, "'a'"},
		{"load", "ok", Fault("BUS_ADRERR"), false, "BUS_ADRERR"},
		{"munmap", "EINVAL", Errno("EINVAL"), true, "EINVAL"},
		{"munmap", "EINVAL", Errno("ENOMEM"), false, "ENOMEM"},
		{"munmap", "EINVAL", OK(), false, "ok"},
		{"load", "SEGV_ACCERR", Fault("SEGV_ACCERR"), true, "SEGV_ACCERR"},
		{"load", "SEGV_ACCERR", Fault("SEGV_MAPERR"), false, "SEGV_MAPERR"},
		{"load", "SEGV_ACCERR", Data([]byte{0}), false, "0"},
		{"store", "KILLED", Fault("KILLED"), true, "KILLED"},
		{"load", "'a'", Data([]byte("a")), true, "'a'"},
		{"load", "'a'", Data([]byte("b")), false, "'b'"},
		{"load", "'a'", Data([]byte("aa")), false, "'a'*2"},
		{"load", "0*3", Data([]byte{0, 0, 0}), true, "0*3"},
		{"load", "0", Data([]byte{0, 0, 0}), false, "0*3"},
		{"load", "'a'", Fault("SEGV_MAPERR"), false, "SEGV_MAPERR"},
		{"pread", `"ab"`, Data([]byte("ab")), true, `"ab"`},
		{"pread", `"ab"`, Data(nil), false, `""`},
		{"pread", `""`, Data(nil), true, `""`},
		{"size", "2p", Count(8192), true, "2p"},
		{"size", "2p", Count(8193), false, "8193"},
		{"size", "0", Count(0), true, "0"},
		{"mincore", "01?", Pages("010"), true, "010"},
		{"mincore", "01?", Pages("011"), true, "011"},
		{"mincore", "01?", Pages("110"), false, "110"},
		{"mincore", "01?", Pages("01"), false, "01"},
		{"areas", "rw-p anon 1p", Areas([]Area{anon}), true, "rw-p anon 1p"},
		{"areas", "rw-p anon 1p; hole 1p; r--s data+2p 2p", Areas([]Area{anon, gap, file}), true,
			"rw-p anon 1p; hole 1p; r--s data+2p 2p"},
		{"areas", "rw-p anon 2p", Areas([]Area{anon, anon}), false, "rw-p anon 1p; rw-p anon 1p"},
		{"areas", "r--s data+1p 2p", Areas([]Area{file}), false, "r--s data+2p 2p"},
		{"areas", "r--s other+2p 2p", Areas([]Area{file}), false, "r--s data+2p 2p"},
		{"areas", "r--p data+2p 2p", Areas([]Area{file}), false, "r--s data+2p 2p"},
		{"areas", "hole 1p", Areas(nil), false, ""},
		{"mmap", "m+1p", Address(0x11000), true, "m+1p"},
		{"mmap", "m+1p", Address(0x10000), false, "another address: 0x10000, -4096 from it"},
		{"mmap", "not m", Address(0x11000), true, "not m"},
		{"mmap", "not m", Address(0x10000), false, "this very address"},
		{"mmap", "not m", Errno("ENOMEM"), false, "ENOMEM"},
		{"mmap", "0", Address(0), true, "0"},
		{"vmflags", "+lo -ac", VMFlags([]string{"rd", "lo"}), true, "+lo -ac"},
		{"vmflags", "+lo -ac", VMFlags([]string{"rd", "ac"}), false, "-lo +ac"},
		{"mtime", "changed", Word("changed"), true, "changed"},
		{"mtime", "changed", Word("same"), false, "same"},
	}
	for _, tt := range tests {
		t.Run(tt.op+" -> "+tt.want+" with "+tt.describe, func(t *testing.T) {
			w, err := parseExpectation(tt.want, operations[tt.op].gives)
			if err != nil {
				t.Fatal(err)
			}
			r, err := w.resolve(testEval)
			if err != nil {
				t.Fatal(err)
			}
			if got := r.met(tt.got); got != tt.met {
				t.Errorf("met: got %v, want %v", got, tt.met)
			}
			if got := r.describe(tt.got, 4096); got != tt.describe {
				t.Errorf("describe: got %s, want %s", got, tt.describe)
			}
		})
	}
}

func TestExpectationErrors(t *testing.T) {
	tests := []struct{ op, want string }{
		{"munmap", ""},
		{"munmap", "EFOO"},
		{"munmap", "5"},
		{"munmap", "SEGV_FOO"},
		{"load", "a"},
		{"load", "300"},
		{"size", "1q"},
		{"mincore", "012"},
		{"mincore", "1 1"},
		{"areas", "rw-p anon"},
		{"areas", "rw-p anon 1p extra"},
		{"areas", "rwx anon 1p"},
		{"areas", "rwap anon 1p"},
		{"areas", "rw-p data 1p"},
		{"areas", "rw-p +1p 1p"},
		{"areas", "rw-p data+x! 1p"},
		{"areas", "rw-p anon 1p;"},
		{"areas", "hole"},
		{"mmap", "not"},
		{"mmap", "not m+"},
		{"vmflags", "lo"},
		{"vmflags", "+locked"},
		{"mtime", "moved"},
	}
	for _, tt := range tests {
		t.Run(tt.op+" -> "+tt.want, func(t *testing.T) {
			if w, err := parseExpectation(tt.want, operations[tt.op].gives); err == nil {
				t.Errorf("got %+v, want an error", w)
			}
		})
	}
}

func TestFormatBytes(t *testing.T) {
	long := make([]byte, 100)
	long[99] = 'x'
	tests := []struct {
		b    []byte
		want string
	}{
		{nil, `""`},
		{[]byte{7}, `'\a'`},
		{[]byte{0xc3}, "195"},
		{[]byte("aaaa"), "'a'*4"},
		{[]byte("ab\x00"), `"ab\x00"`},
		{long, `"` + zeros(64) + `"… (100 bytes)`},
	}
	for _, tt := range tests {
		if got := formatBytes(tt.b); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.b, got, tt.want)
		}
	}
}

// zeros is n zero bytes as Go quotes them.
func zeros(n int) string {
	s := ""
	for range n {
		s += `\x00`
	}
	return s
}
