package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A WantKind says what an expectation demands and which of its fields hold it.
type WantKind uint8

const (
	WantSuccess WantKind = iota // success, whatever the value
	WantErrno                   // Name
	WantFault                   // Name
	WantBytes                   // Bytes
	WantCount                   // Expr
	WantPages                   // Pages
	WantAreas                   // Areas
	WantAddress                 // Expr
	WantOther                   // an address other than Expr
	WantFlags                   // Flags
	WantWord                    // Name
)

// An Expectation is what a step must do. The zero Expectation is success.
type Expectation struct {
	Kind  WantKind
	Text  string // as written; "" if nothing was
	Name  string
	Expr  Expr
	Bytes Bytes
	Pages string // '0', '1' or '?' a page
	Areas []WantArea
	Flags []string // with + or - before the name
}

// A WantArea is one area of an expected list.
type WantArea struct {
	Perms  string // "" for a hole
	Object string // as in Area
	Off    Expr
	Len    Expr
}

// String returns the expectation as it was written, or "ok".
func (w Expectation) String() string {
	if w.Text == "" {
		return "ok"
	}
	return w.Text
}

// errnos are the error numbers that an expectation may name.
var errnos = words("E2BIG EACCES EAGAIN EBADF EBUSY ECHILD EDEADLK EDOM EEXIST EFAULT EFBIG EINTR EINVAL EIO EISDIR " +
	"ELOOP EMFILE EMLINK ENAMETOOLONG ENFILE ENODEV ENOENT ENOEXEC ENOLCK ENOMEM ENOSPC ENOSYS ENOTDIR ENOTEMPTY " +
	"ENOTTY ENXIO EOPNOTSUPP EOVERFLOW EPERM EPIPE ERANGE EROFS ESPIPE ESRCH ESTALE ETXTBSY EXDEV EHWPOISON")

// faults are the codes of SIGSEGV and SIGBUS that an expectation may name.
var faults = words("SEGV_MAPERR SEGV_ACCERR SEGV_BNDERR SEGV_PKUERR BUS_ADRALN BUS_ADRERR BUS_OBJERR BUS_MCEERR_AR KILLED")

// parseExpectation parses what stands after ->. What a bare word or number means depends on what the operation gives.
func parseExpectation(text string, gives ResultKind) (Expectation, error) {
	w := Expectation{Text: text}
	switch {
	case text == "":
		return w, fmt.Errorf("nothing after ->")
	case text == "ok":
		return w, nil
	case slices.Contains(errnos, text):
		w.Kind, w.Name = WantErrno, text
		return w, nil
	case slices.Contains(faults, text):
		w.Kind, w.Name = WantFault, text
		return w, nil
	}
	err := w.parseValue(gives)
	return w, err
}

// parseValue parses the expectation of a value of the kind that the operation gives.
func (w *Expectation) parseValue(gives ResultKind) (err error) {
	switch gives {
	case ResultAddress:
		w.Kind = WantAddress
		other, not := strings.CutPrefix(w.Text, "not ")
		if not {
			w.Kind = WantOther
		}
		w.Expr, err = parseExpr(strings.TrimSpace(other))
	case ResultCount:
		w.Kind = WantCount
		w.Expr, err = parseExpr(w.Text)
	case ResultBytes:
		w.Kind = WantBytes
		if w.Bytes, err = parseBytes(w.Text); err != nil {
			err = fmt.Errorf("the operation gives bytes, as 'a', 0 or \"text\": %w", err)
		}
	case ResultPages:
		w.Kind = WantPages
		w.Pages, err = parsePages(w.Text)
	case ResultAreas:
		w.Kind = WantAreas
		w.Areas, err = parseAreas(w.Text)
	case ResultFlags:
		w.Kind = WantFlags
		w.Flags, err = parseVMFlags(w.Text)
	case ResultWord:
		w.Kind, w.Name = WantWord, w.Text
		if w.Text != "changed" && w.Text != "same" {
			err = fmt.Errorf("want changed or same, have %s", quote(w.Text))
		}
	default:
		err = fmt.Errorf("%s is no error number or fault, and the operation gives no value", quote(w.Text))
	}
	return err
}

func parsePages(s string) (string, error) {
	if strings.Trim(s, "01?") != "" {
		return "", fmt.Errorf("bad pages %s, want a 0, 1 or ? for each", quote(s))
	}
	return s, nil
}

func parseVMFlags(s string) ([]string, error) {
	list := strings.Fields(s)
	for _, f := range list {
		if len(f) != 3 || f[0] != '+' && f[0] != '-' {
			return nil, fmt.Errorf("bad flag %s, want + or - and two letters", quote(f))
		}
	}
	return list, nil
}

func parseAreas(s string) ([]WantArea, error) {
	var list []WantArea
	for one := range strings.SplitSeq(s, ";") {
		a, err := parseArea(strings.Fields(one))
		if err != nil {
			return nil, fmt.Errorf("area %s: %w", quote(strings.TrimSpace(one)), err)
		}
		list = append(list, a)
	}
	return list, nil
}

// parseArea parses the words of "hole LENGTH" or "PERMS OBJECT LENGTH".
func parseArea(f []string) (WantArea, error) {
	if len(f) == 2 && f[0] == "hole" {
		n, err := parseExpr(f[1])
		return WantArea{Object: "hole", Len: n}, err
	}
	if len(f) != 3 {
		return WantArea{}, fmt.Errorf("want PERMS OBJECT LENGTH or hole LENGTH")
	}
	if !isPerms(f[0]) {
		return WantArea{}, fmt.Errorf("bad permissions %s, want for example rw-p", quote(f[0]))
	}
	n, err := parseExpr(f[2])
	if err != nil {
		return WantArea{}, err
	}
	a := WantArea{Perms: f[0], Object: f[1], Len: n}
	if f[1] == "anon" || f[1] == "shm" {
		return a, nil
	}
	return a, a.parseFile()
}

// parseFile splits NAME+OFF.
func (a *WantArea) parseFile() error {
	i := strings.LastIndexByte(a.Object, '+')
	if i <= 0 {
		return fmt.Errorf("bad object %s, want anon, shm or NAME+OFF", quote(a.Object))
	}
	off, err := parseExpr(a.Object[i+1:])
	a.Object, a.Off = a.Object[:i], off
	return err
}

func isPerms(s string) bool {
	sets := []string{"r-", "w-", "x-", "ps"}
	if len(s) != len(sets) {
		return false
	}
	for i, set := range sets {
		if !strings.Contains(set, s[i:i+1]) {
			return false
		}
	}
	return true
}

// exprs returns pointers to all expressions in the expectation.
func (w *Expectation) exprs() []*Expr {
	list := []*Expr{&w.Expr, &w.Bytes.Times}
	for i := range w.Areas {
		list = append(list, &w.Areas[i].Off, &w.Areas[i].Len)
	}
	return list
}

// A wanted is an expectation whose expressions have values.
type wanted struct {
	Expectation
	value uint64 // of Expr
	bytes []byte
	areas []Area
}

// resolve gives the expectation's expressions their values.
func (w Expectation) resolve(eval func(Expr) (uint64, error)) (wanted, error) {
	r := wanted{Expectation: w}
	var err error
	if r.value, err = eval(w.Expr); err != nil {
		return wanted{}, err
	}
	if w.Kind == WantBytes {
		if r.bytes, err = w.Bytes.Expand(eval); err != nil {
			return wanted{}, err
		}
	}
	for _, a := range w.Areas {
		area := Area{Perms: a.Perms, Object: a.Object}
		if area.Off, err = eval(a.Off); err != nil {
			return wanted{}, err
		}
		if area.Len, err = eval(a.Len); err != nil {
			return wanted{}, err
		}
		r.areas = append(r.areas, area)
	}
	return r, nil
}

// met reports whether got is what was wanted.
func (w *wanted) met(got Result) bool {
	switch w.Kind {
	case WantSuccess:
		return got.Kind != ResultErrno && got.Kind != ResultFault
	case WantErrno:
		return got.Kind == ResultErrno && got.Name == w.Name
	case WantFault:
		return got.Kind == ResultFault && got.Name == w.Name
	case WantBytes:
		return got.Kind == ResultBytes && string(got.Bytes) == string(w.bytes)
	case WantCount:
		return got.Kind == ResultCount && got.Value == w.value
	case WantPages:
		return got.Kind == ResultPages && samePages(w.Pages, got.Pages)
	case WantAreas:
		return got.Kind == ResultAreas && slices.Equal(w.areas, got.Areas)
	case WantAddress:
		return got.Kind == ResultAddress && got.Value == w.value
	case WantOther:
		return got.Kind == ResultAddress && got.Value != w.value
	case WantFlags:
		return got.Kind == ResultFlags && hasFlags(w.Flags, got.Flags)
	case WantWord:
		return got.Kind == ResultWord && got.Name == w.Name
	}
	return false
}

func samePages(want, got string) bool {
	if len(want) != len(got) {
		return false
	}
	for i := range len(want) {
		if want[i] != '?' && want[i] != got[i] {
			return false
		}
	}
	return true
}

func hasFlags(want, got []string) bool {
	for _, f := range want {
		if slices.Contains(got, f[1:]) != (f[0] == '+') {
			return false
		}
	}
	return true
}

// describe writes the result so that it can stand beside the expectation.
func (w *wanted) describe(got Result, page uint64) string {
	switch {
	case got.Kind == ResultAddress && w.Kind == WantAddress && got.Value != w.value:
		return fmt.Sprintf("another address: %#x, %+d from it", got.Value, int64(got.Value-w.value))
	case got.Kind == ResultAddress && w.Kind == WantOther && got.Value == w.value:
		return "this very address"
	case got.Kind == ResultFlags && w.Kind == WantFlags:
		return signFlags(w.Flags, got.Flags)
	case w.Kind != WantSuccess && w.Kind != WantPages && w.met(got):
		return w.Text
	}
	return got.Format(page)
}

// signFlags repeats the wanted flags with the sign that they really have.
func signFlags(want, got []string) string {
	signed := make([]string, len(want))
	for i, f := range want {
		signed[i] = "-" + f[1:]
		if slices.Contains(got, f[1:]) {
			signed[i] = "+" + f[1:]
		}
	}
	return strings.Join(signed, " ")
}

// Format writes the result as the language would, where a page has page bytes.
// Addresses are told apart only by the expectation, so an address is "ok".
func (r Result) Format(page uint64) string {
	switch r.Kind {
	case ResultErrno, ResultFault, ResultWord:
		return r.Name
	case ResultCount:
		return formatSize(r.Value, page)
	case ResultBytes:
		return formatBytes(r.Bytes)
	case ResultPages:
		return r.Pages
	case ResultAreas:
		return formatAreas(r.Areas, page)
	case ResultFlags:
		return strings.Join(r.Flags, " ")
	}
	return "ok"
}

func formatAreas(list []Area, page uint64) string {
	var parts []string
	for _, a := range list {
		parts = append(parts, a.format(page))
	}
	return strings.Join(parts, "; ")
}

func (a Area) format(page uint64) string {
	n := formatSize(a.Len, page)
	switch {
	case a.Perms == "":
		return "hole " + n
	case a.Object == "anon" || a.Object == "shm":
		return a.Perms + " " + a.Object + " " + n
	}
	return a.Perms + " " + a.Object + "+" + formatSize(a.Off, page) + " " + n
}

// formatSize writes whole pages as such.
func formatSize(n, page uint64) string {
	if n != 0 && n%page == 0 {
		return strconv.FormatUint(n/page, 10) + "p"
	}
	return strconv.FormatUint(n, 10)
}

// shownBytes bounds how much of a long run of different bytes is shown.
const shownBytes = 64

// formatBytes writes one byte as 'a' or a number, equal bytes as "a"*N, and others as text.
func formatBytes(b []byte) string {
	switch n := len(b); {
	case n == 0:
		return `""`
	case strings.Count(string(b), string(b[:1])) == n:
		one := formatByte(b[0])
		if n > 1 {
			one += "*" + strconv.Itoa(n)
		}
		return one
	case n > shownBytes:
		return strconv.Quote(string(b[:shownBytes])) + fmt.Sprintf("… (%d bytes)", n)
	}
	return strconv.Quote(string(b))
}

func formatByte(c byte) string {
	if c == 0 || c > '~' {
		return strconv.Itoa(int(c))
	}
	return strconv.QuoteRune(rune(c))
}
