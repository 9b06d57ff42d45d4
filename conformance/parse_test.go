package conformance

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

const example = `# A comment, don't mind the apostrophe.
section: 49.4.3 Boundary cases

case tail-reads-zero: the tail's bytes are zero # not a comment
rule: 19, 20
source: mmap(2); mm/filemap.c, filemap_fault
needs: kernel >= 6.13, ext4, hugepages 2

> It's one page.
>
> And more.
f = file data 6000 'a'
m = mmap 0 2p r|w|0x100 shared f 0   # a comment
load m+6000 2  -> 0*2
fork child
child: store m "a # b"
repeat 3 i: child: munmap m+i*1p 1p
until ENOMEM j 70000: n = mmap 0 1p none private|anon - 0
areas m 2p     -> rw-s data+0 1p ; hole 1p

case second: another
pipe r w
close r
`

func mustParse(t testing.TB, text string) *Section {
	t.Helper()
	s, err := Parse("dir/example.txt", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	s := mustParse(t, example)
	if s.Name != "example" || s.Title != "49.4.3 Boundary cases" || len(s.Cases) != 2 {
		t.Fatalf("got section %q %q with %d cases", s.Name, s.Title, len(s.Cases))
	}
	got := *s.Cases[0]
	got.Steps = nil
	want := Case{
		Name:   "tail-reads-zero",
		Title:  "the tail's bytes are zero # not a comment",
		Rules:  []int{19, 20},
		Source: "mmap(2); mm/filemap.c, filemap_fault",
		Needs: []Need{
			{Text: "kernel >= 6.13", Name: "kernel", Major: 6, Minor: 13},
			{Text: "ext4", Name: "ext4"},
			{Text: "hugepages 2", Name: "hugepages", N: 2},
		},
		File: "dir/example.txt",
		Line: 4,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got case\n%+v\nwant\n%+v", got, want)
	}
}

func TestParseSteps(t *testing.T) {
	steps := mustParse(t, example).Cases[0].Steps
	want := []struct {
		line                int
		text, proc, op, say string
		args                int
		repeat              RepeatKind
		want                WantKind
		keeps               string
	}{
		{12, "f = file data 6000 'a'", "main", "file", "It's one page.||And more.", 3, Once, WantSuccess, "f"},
		{13, "m = mmap 0 2p r|w|0x100 shared f 0", "main", "mmap", "", 6, Once, WantSuccess, "m"},
		{14, "load m+6000 2 -> 0*2", "main", "load", "", 2, Once, WantBytes, ""},
		{15, "fork child", "main", "fork", "", 1, Once, WantSuccess, ""},
		{16, `child: store m "a # b"`, "child", "store", "", 2, Once, WantSuccess, ""},
		{17, "repeat 3 i: child: munmap m+i*1p 1p", "child", "munmap", "", 2, Times, WantSuccess, ""},
		{18, "until ENOMEM j 70000: n = mmap 0 1p none private|anon - 0", "main", "mmap", "", 6, Until, WantSuccess, "n"},
		{19, "areas m 2p -> rw-s data+0 1p ; hole 1p", "main", "areas", "", 2, Once, WantAreas, ""},
	}
	if len(steps) != len(want) {
		t.Fatalf("got %d steps, want %d", len(steps), len(want))
	}
	for i, w := range want {
		s := steps[i]
		if s.Line != w.line || s.Text != w.text || s.Proc != w.proc || s.Op != w.op || strings.Join(s.Say, "|") != w.say ||
			len(s.Args) != w.args || s.Repeat.Kind != w.repeat || s.Want.Kind != w.want || s.Var != w.keeps {
			t.Errorf("step %d: got\n%+v\nwant\n%+v", i, s, w)
		}
	}
	mmap := steps[1]
	if got, want := mmap.Args[2].Flags, (Flags{Names: []string{"r", "w"}, Bits: 0x100}); !reflect.DeepEqual(got, want) {
		t.Errorf("flags: got %+v, want %+v", got, want)
	}
	if !mmap.Args[3].Flags.Has("shared") || mmap.Args[3].Flags.Has("private") {
		t.Errorf("flags: got %+v, want shared", mmap.Args[3].Flags)
	}
	if got := mmap.Args[4]; got.Kind != ArgFD || got.Name != "f" {
		t.Errorf("descriptor: got %+v, want f", got)
	}
	if r := steps[6].Repeat; r.Var != "j" || r.Errno != "ENOMEM" || r.Limit.String() != "70000" {
		t.Errorf("until: got %+v", r)
	}
}

// TestParseErrors checks each message: it has the line, and names what is wrong.
func TestParseErrors(t *testing.T) {
	const head = "section: s\ncase c: what\n"
	tests := []struct{ text, want string }{
		{"", "t:1: the file is empty"},
		{"section: s\n", "t:1: no cases"},
		{"section:\n", "t:1: section without a title"},
		{"section: a\nsection: b\n", "t:2: second section line"},
		{"case c: what\nexit\n", "t:1: case before the section line"},
		{"section: s\nexit\n", "t:2: step before the first case"},
		{"section: s\n> hm\n", "t:2: narration before the first case"},
		{"section: s\nrule: 1\n", "t:2: rule: must stand between"},
		{head, "t:2: case c has no steps"},
		{head + "case d: x\n", "t:3: case c has no steps"},
		{head + "exit\ncase c: x\n", "t:4: second case c, the first is on line 2"},
		{head + "exit\ncase D: x\n", `t:4: bad case name "D"`},
		{head + "exit\ncase d\n", "t:4: want case NAME: WHAT IS SHOWN"},
		{head + "exit\n> hm\n", "t:4: narration without a step"},
		{head + "exit\nrule: 3\n", "t:4: rule: must stand between"},
		{head + "rule: x\nexit\n", `t:3: rule: bad number "x"`},
		{head + "rule: 1\nrule: 2\nexit\n", "t:4: rule: given twice"},
		{head + "source:\nexit\n", "t:3: source: empty"},
		{head + "source: a\nsource: b\nexit\n", "t:4: source: given twice"},
		{head + "needs: root\nneeds: root\nexit\n", "t:4: needs: given twice"},
		{head + "needs: luck\nexit\n", `t:3: needs: unknown need "luck"`},
		{head + "needs: root,\nexit\n", `t:3: needs: unknown need ""`},
		{head + "needs: kernel > 6.1\nexit\n", `t:3: needs: unknown need "kernel > 6.1"`},
		{head + "needs: kernel >= 6\nexit\n", `t:3: needs: bad kernel version "6"`},
		{head + "needs: hugepages\nexit\n", `t:3: needs: unknown need "hugepages"`},
		{head + "needs: hugepages x\nexit\n", `t:3: needs: bad number "x"`},
		{head + "frobnicate 1\n", `t:3: unknown operation "frobnicate"`},
		{head + "munmap 0\n", "t:3: 1 arguments, want munmap ADDR LEN"},
		{head + "load 0 1 2\n", "t:3: 3 arguments, want load ADDR [LEN]"},
		{head + "munmap 0 1q\n", `t:3: munmap: LEN: bad number "1q"`},
		{head + "mmap 0 1p rw private|anon - 0\n", `t:3: mmap: PROT: unknown flag "rw"`},
		{head + "mmap 0 1p r private|1p - 0\n", `t:3: mmap: FLAGS: unknown flag "1p"`},
		{head + "mmap 0 1p r private|anon 0x 0\n", `t:3: mmap: FD: bad descriptor "0x"`},
		{head + "madvise 0 1p cold|free\n", `t:3: madvise: ADVICE: "cold|free", want a single one`},
		{head + "rlimit cpu 1\n", `t:3: rlimit: WHICH: "cpu" is not one of as data`},
		{head + "chattr data +i\n", `t:3: chattr: ATTR: "+i" is not one of +a -a`},
		{head + "file ../x 1\n", `t:3: file: NAME: bad file name "../x"`},
		{head + "file 'x' 1\n", `t:3: file: NAME: bad file name`},
		{head + "file x 1 what\n", `t:3: file: FILL: bad byte "what"`},
		{head + "store 0 \"a\n", `t:3: bad quotes in "\"a"`},
		{head + "x = munmap 0 1p\n", "t:3: munmap gives nothing that a name could keep"},
		{head + "1x = mmap 0 1p r private|anon - 0\n", `t:3: bad name "1x"`},
		{head + "1x: exit\n", `t:3: process: bad name "1x"`},
		{head + "kid: exit\n", "t:3: unknown process kid"},
		{head + "fork main\n", "t:3: second process main"},
		{head + "fork kid\nkid: exit\nkid: exit\n", "t:5: process kid has ended on line 4"},
		{head + "fork kid -> ENOMEM\nkid: exit\n", "t:4: unknown process kid"},
		{head + "munmap m 1p\n", "t:3: unknown name m"},
		{head + "m = mmap 0 1p r private|anon - 0 -> EINVAL\nmunmap m 1p\n", "t:4: unknown name m"},
		{head + "fork kid\nm = mmap 0 1p r private|anon - 0\nkid: munmap m 1p\n", "t:5: unknown name m"},
		{head + "f = file x 1\nspawn kid\nkid: close f\n", "t:5: f is no descriptor of process kid"},
		{head + "f = file x 1\nmunmap f 1p\n", "t:4: f is a descriptor, want an address"},
		{head + "m = mmap 0 1p r private|anon - 0\nclose m\n", "t:4: m is an address, want a descriptor"},
		{head + "m = mmap 0 1p r private|anon - 0\nload m -> n\n", `t:4: the operation gives bytes, as 'a', 0 or "text": bad byte "n"`},
		{head + "mmap 0 1p r private|anon - 0 -> n\n", "t:3: unknown name n"},
		{head + "pipe r r\n", "t:3: r is already the name of something else"},
		{head + "rules: 1\nexit\n", `t:3: unknown header "rules:", there are: section: TITLE, case NAME: TITLE, rule:, source:, needs:`},
		{"section: s\nCase: c\n", `t:2: unknown header "Case:"`},
		{head + "exit\nrules: 1\n", `t:4: unknown header "rules:"`},
		{head + "needs: luck\nexit\n", `t:3: needs: unknown need "luck", there are: kernel >= X.Y, kernel < X.Y, root, user,`},
		{head + ">no space\nexit\n", "t:3: want a space after >"},
		{head + "exit\nexit\n", "t:4: process main has ended on line 3"},
		{head + "ENOMEM = mmap 0 1p r private|anon - 0\n", "t:3: ENOMEM is no name"},
		{head + "ok = mmap 0 1p r private|anon - 0\n", "t:3: ok is no name"},
		{head + "fork KILLED\n", "t:3: fork: NAME: KILLED is no name"},
		{head + "pipe r same\n", "t:3: pipe: W: same is no name"},
		{head + "repeat 3 changed: munlockall\n", "t:3: changed is no name"},
		{head + "fork kid\nkid: repeat 3 i: munlockall\n", `t:4: "repeat" stands too late, the order is: [repeat N i:] [PROCESS:]`},
		{head + "fork kid\nm = kid: mmap 0 1p r private|anon - 0\n", `t:4: "kid:" stands too late`},
		{head + "m = until ENOMEM i 3: mmap 0 1p r private|anon - 0\n", `t:3: "until" stands too late`},
		{head + "load 0 + 1\n", "t:3: 3 arguments, want load ADDR [LEN] (no blanks inside expressions"},
		{head + "load 0 - 1\n", "t:3: 3 arguments, want load ADDR [LEN] (no blanks inside expressions"},
		{head + "load 0 +1\n", `t:3: load: LEN: missing number or name in expression "+1" (no blanks inside expressions`},
		{head + "load 0+ 1\n", `t:3: load: ADDR: missing number or name in expression "0+" (no blanks inside expressions`},
		{head + "load 0->1\n", `t:3: want blanks around -> in "0->1"`},
		{head + "store 0 'a'->ok\n", `t:3: want blanks around -> in "'a'->ok"`},
		{head + "\x7fELF\x01\x01\x00" + strings.Repeat("\x00", 100) + "\n", `t:3: no text in UTF-8: is this a file of cases? The line is "\x7fELF\x01`},
		{head + "\xff\n", `t:3: no text in UTF-8`},
		{head + "exit ->\n", "t:3: nothing after ->"},
		{head + "exit -> EWHAT\n", `t:3: "EWHAT" is no error number or fault`},
		{head + "repeat 3 i munlockall\n", "t:3: want repeat N i: STEP"},
		{head + "repeat 3:\n", "t:3: want repeat N i: STEP"},
		{head + "repeat x i: munlockall\n", "t:3: unknown name x"},
		{head + "repeat 3 i: munlockall\nload i\n", "t:4: unknown name i"},
		{head + "until EWHAT i 3: munlockall\n", `t:3: unknown error number "EWHAT"`},
		{head + "until ENOMEM i 3: munlockall -> ok\n", "t:3: until says itself how the step ends"},
		{head + "until ENOMEM i 3: munlockall\ni = mmap 0 1p r private|anon - 0\n", "t:4: i is already the name"},
		{head + "m = mmap 0 1p r private|anon - 0\nrepeat 3 m: munlockall\n", "t:4: counter m is also the name"},
		{head + strings.Repeat("x", 1<<17), "t:3: a line of more than 65536 bytes"},
	}
	for _, tt := range tests {
		s, err := Parse("t", strings.NewReader(tt.text))
		if err == nil {
			t.Errorf("%.100q: got %+v, want an error", tt.text, s)
		} else if !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%.100q: got error %q, want %q", tt.text, err, tt.want)
		} else if len(err.Error()) > 400 {
			t.Errorf("%.100q: the message is %d bytes long", tt.text, len(err.Error()))
		}
	}
}

// TestParseAccepts has what is unusual but right.
func TestParseAccepts(t *testing.T) {
	const head = "section: s\ncase c: what\n"
	for _, text := range []string{
		"until ENOMEM i 3: mmap 0 1p r private|anon - 0\nload i",      // the counter of until stays known
		"repeat 2 i: munlockall\nrepeat 2 i: munlockall",              // a counter's name can serve again
		"m = mmap 0 1p r private|anon - 0\nm = mremap m 1p 2p 0 -> m", // a name can be given anew, and means the old value in ->
		"f = file x 1\nclose f\npread f 0 1 -> EBADF",                 // a closed descriptor keeps its name
		"close 9999 -> EBADF\nclose - -> EBADF",                       // bare descriptors
		"fork a\na: fork b\nb: exit\na: exit",                         // children of children
		"madvise 0 1p 0x7f -> EINVAL\nmseal 0 1p 1 -> EINVAL",         // numbers as flags
		"f = open /dev/zero rdonly\ng = open . rdonly|directory",      // names outside, and the directory itself
		"\tmunlockall\t# tabs\r",                                      // and the line ends of other systems
		"store 0 \"a->b\" -> ok\nstore 0 'a' # a->b",                  // an arrow in quotes and in a comment
		"munlockall -> ok#comment",
	} {
		if _, err := Parse("t", strings.NewReader(head+text+"\n")); err != nil {
			t.Errorf("%q: got error %v", text, err)
		}
	}
}

// TestParseByteOrderMark has a file of an editor that marks UTF-8.
func TestParseByteOrderMark(t *testing.T) {
	if s := mustParse(t, byteOrderMark+example); s.Cases[0].Line != 4 {
		t.Errorf("got line %d, want 4", s.Cases[0].Line)
	}
	text := strings.Replace(example, "section", byteOrderMark+"section", 1)
	if _, err := Parse("t", strings.NewReader(text)); err == nil {
		t.Error("a mark on the second line: want an error")
	}
}

// TestLanguageDocument checks that LANGUAGE.md names every word that the parser knows.
func TestLanguageDocument(t *testing.T) {
	text, err := os.ReadFile("LANGUAGE.md")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]bool{}
	isWord := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '+' || r == '-'
	}
	for _, w := range strings.FieldsFunc(string(text), func(r rune) bool { return !isWord(r) }) {
		words[w] = true
	}
	for name, o := range operations {
		known := []string{name}
		for _, p := range o.params {
			known = append(known, p.words...)
		}
		for _, w := range known {
			if !words[w] {
				t.Errorf("operation %s: LANGUAGE.md doesn't name %s", name, w)
			}
		}
	}
	for _, w := range slices.Concat(needWords, needCounts, vmFlags) {
		if !words[w] {
			t.Errorf("LANGUAGE.md doesn't name %s", w)
		}
	}
	for name, o := range operations {
		if !strings.Contains(string(text), "`"+name+"` |") && !strings.Contains(string(text), "`"+name+"`, `") && o.fails != byErrno {
			t.Errorf("LANGUAGE.md doesn't say how %s fails", name)
		}
	}
}

// FuzzParse looks for texts that crash the parser, or that it takes although no runner could.
func FuzzParse(f *testing.F) {
	const head = "section: s\ncase c: what\n" // short seeds: the fuzzer takes its time to shorten long ones
	for _, steps := range []string{
		"f = file data 1p pages\nm = mmap 0 2p r|w shared f 0\nload m+1p -> BUS_ADRERR",
		"rule: 1, 2\nneeds: kernel >= 6.1, root\n> Why.\nfork kid\nkid: areas 0 1p -> r--p data+1p 1p; hole 2p",
		"repeat 3 i: store i*2p 'a'*3\nuntil ENOMEM j 9: munmap j 1p\nmincore 0 2p -> 1?",
		"pipe r w\nclose r\nvmflags 0 -> +lo -ac\npread w 0 1 -> \"a\\\"b\"*2 # end",
	} {
		f.Add(head + steps)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse("fuzz", strings.NewReader(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz:") {
				t.Errorf("error without a place: %v", err)
			}
			return
		}
		for _, c := range s.Cases {
			for i := range c.Steps {
				checkParsed(t, &c.Steps[i])
			}
		}
	})
}

// checkParsed checks what every runner may rely on.
func checkParsed(t *testing.T, s *Step) {
	o, ok := operations[s.Op]
	if !ok || !o.accepts(len(s.Args)) {
		t.Errorf("line %d: operation %q with %d arguments", s.Line, s.Op, len(s.Args))
	}
	if bound := s.bind(map[string]uint64{s.Repeat.Var: 1}); len(bound.Args) != len(s.Args) {
		t.Errorf("line %d: %d arguments after bind, want %d", s.Line, len(bound.Args), len(s.Args))
	}
	if toks, err := tokens(s.Text); err != nil || strings.Join(toks, " ") != s.Text || s.Text == "" {
		t.Errorf("line %d: text %q has tokens %q, %v", s.Line, s.Text, toks, err)
	}
}
