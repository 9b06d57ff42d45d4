package conformance

import (
	"fmt"
	"slices"
	"strings"
)

// A param is what an operation takes at one place.
type param struct {
	name  string // for messages, as LANGUAGE.md writes it
	kind  ArgKind
	words []string // ArgFlags, ArgWord and ArgFill: what may stand there by name
	one   bool     // ArgFlags: a single name or number, no set
}

// An operation is one line of the language's tables.
type operation struct {
	params   []param
	optional int        // so many of the last params may be missing
	gives    ResultKind // on success
	defines  bool       // "NAME =" may stand before it
	fails    failing
}

// The vocabularies of the sets of flags.
var (
	openModes = words("rdonly wronly rdwr append path directory")
	protFlags = words("none r w x growsdown growsup")
	mmapFlags = words("shared private shared_validate anon fixed fixed_noreplace noreserve populate nonblock " +
		"locked growsdown stack hugetlb huge_2m huge_1g sync 32bit droppable denywrite executable")
	msyncFlags  = words("sync async invalidate")
	mremapFlags = words("maymove fixed dontunmap")
	advices     = words("normal random sequential willneed dontneed free remove dontfork dofork mergeable " +
		"unmergeable hugepage nohugepage dontdump dodump wipeonfork keeponfork cold pageout populate_read " +
		"populate_write dontneed_locked collapse guard_install guard_remove")
	mlock2Flags   = words("onfault")
	mlockallFlags = words("current future onfault")
	remapFlags    = words("nonblock")
	seals         = words("seal shrink grow write future_write")
	limits        = words("as data memlock stack fsize")
)

func words(s string) []string { return strings.Fields(s) }

// The params that several operations take.
var (
	pFD   = param{name: "FD", kind: ArgFD}
	pName = param{name: "NAME", kind: ArgFile}
	pProc = param{name: "NAME", kind: ArgNew}
	pAddr = expr("ADDR")
	pLen  = expr("LEN")
	pOff  = expr("OFF")
	pProt = flags("PROT", protFlags)
)

func expr(name string) param                  { return param{name: name, kind: ArgExpr} }
func flags(name string, names []string) param { return param{name: name, kind: ArgFlags, words: names} }
func oneWord(name string, names ...string) param {
	return param{name: name, kind: ArgWord, words: names}
}

// op makes an operation that gives nothing but success.
func op(params ...param) operation { return operation{params: params} }

func (o operation) opt(n int) operation              { o.optional = n; return o }
func (o operation) giving(kind ResultKind) operation { o.gives = kind; return o }
func (o operation) defining(k ResultKind) operation  { o.gives, o.defines = k, true; return o }
func (o operation) failing(how failing) operation    { o.fails = how; return o }
func (o operation) accepts(n int) bool               { return len(o.params)-o.optional <= n && n <= len(o.params) }

// operations is the whole language: what the parser accepts and runners must know.
var operations = map[string]operation{
	// Files and descriptors.
	"file":      op(pName, expr("SIZE"), param{name: "FILL", kind: ArgFill, words: words("pages sparse")}).opt(1).defining(ResultFD),
	"open":      op(pName, flags("MODE", openModes)).defining(ResultFD),
	"memfd":     op(pName, oneWord("sealable", "sealable")).opt(1).defining(ResultFD),
	"pipe":      op(param{name: "R", kind: ArgNew}, param{name: "W", kind: ArgNew}),
	"close":     op(pFD),
	"unlink":    op(pName),
	"mkdir":     op(pName),
	"chattr":    op(pName, oneWord("ATTR", "+a", "-a")),
	"ftruncate": op(pFD, expr("SIZE")),
	"allocate":  op(pFD, pOff, pLen),
	"punch":     op(pFD, pOff, pLen),
	"fsync":     op(pFD),
	"pread":     op(pFD, pOff, pLen).giving(ResultBytes),
	"pwrite":    op(pFD, pOff, param{name: "BYTES", kind: ArgBytes}),
	"readto":    op(pFD, pOff, pAddr, pLen).giving(ResultCount),
	"writefrom": op(pFD, pOff, pAddr, pLen).giving(ResultCount),
	"size":      op(pFD).giving(ResultCount),
	"addseals":  op(pFD, flags("SEALS", seals)),
	"mtime":     op(pFD).giving(ResultWord),

	// Memory.
	"mmap":             op(pAddr, pLen, pProt, flags("FLAGS", mmapFlags), pFD, pOff).defining(ResultAddress),
	"munmap":           op(pAddr, pLen),
	"mprotect":         op(pAddr, pLen, pProt),
	"msync":            op(pAddr, pLen, flags("FLAGS", msyncFlags)),
	"mremap":           op(pAddr, expr("OLD"), expr("NEW"), flags("FLAGS", mremapFlags), expr("NEWADDR")).opt(1).defining(ResultAddress),
	"madvise":          op(pAddr, pLen, param{name: "ADVICE", kind: ArgFlags, words: advices, one: true}),
	"mincore":          op(pAddr, pLen).giving(ResultPages),
	"mlock":            op(pAddr, pLen),
	"mlock2":           op(pAddr, pLen, flags("FLAGS", mlock2Flags)),
	"munlock":          op(pAddr, pLen),
	"mlockall":         op(flags("FLAGS", mlockallFlags)),
	"munlockall":       op(),
	"remap_file_pages": op(pAddr, expr("SIZE"), pProt, expr("PGOFF"), flags("FLAGS", remapFlags)),
	"mseal":            op(pAddr, pLen, flags("FLAGS", nil)),
	"load":             op(pAddr, pLen).opt(1).giving(ResultBytes).failing(byFault),
	"store":            op(pAddr, param{name: "BYTES", kind: ArgBytes}).failing(byFault),
	"execute":          op(pAddr).failing(byFault),

	// Looking.
	"areas":   op(pAddr, pLen).giving(ResultAreas).failing(never),
	"present": op(pAddr, pLen).giving(ResultPages).failing(never),
	"vmflags": op(pAddr).giving(ResultFlags).failing(never),

	// Processes.
	"fork":         op(pProc),
	"spawn":        op(pProc).failing(never),
	"exit":         op().failing(never),
	"rlimit":       op(oneWord("WHICH", limits...), expr("SIZE")),
	"unprivileged": op().failing(never),
}

// usage writes the operation as LANGUAGE.md does.
func (o operation) usage(name string) string {
	var b strings.Builder
	b.WriteString(name)
	for i, p := range o.params {
		if i < len(o.params)-o.optional {
			b.WriteString(" " + p.name)
		} else {
			b.WriteString(" [" + p.name + "]")
		}
	}
	return b.String()
}

// parse parses one argument.
func (p param) parse(text string) (Arg, error) {
	a := Arg{Kind: p.kind, Text: text}
	var err error
	switch p.kind {
	case ArgExpr:
		a.Expr, err = parseExpr(text)
	case ArgFD:
		err = a.parseFD(text)
	case ArgNew:
		a.Name, err = text, checkName(text)
	case ArgFile:
		a.Name, err = text, checkFileName(text)
	case ArgWord:
		a.Name, err = text, p.checkWord(text)
	case ArgFlags:
		a.Flags, err = p.parseFlags(text)
	case ArgBytes:
		a.Bytes, err = parseBytes(text)
	case ArgFill:
		if slices.Contains(p.words, text) {
			a.Name = text
		} else {
			a.Bytes, err = parseBytes(text)
		}
	}
	if err != nil {
		return Arg{}, fmt.Errorf("%s: %w", p.name, err)
	}
	return a, nil
}

func (a *Arg) parseFD(text string) error {
	if text == "-" {
		text = "-1"
	}
	if isName(text) {
		a.Name = text
		return nil
	}
	e, err := parseExpr(text)
	if err != nil || len(e.Names()) > 0 {
		return fmt.Errorf("bad descriptor %s", quote(text))
	}
	a.Expr = e
	return nil
}

func (p param) checkWord(text string) error {
	if !slices.Contains(p.words, text) {
		return fmt.Errorf("%s is not one of %s", quote(text), strings.Join(p.words, " "))
	}
	return nil
}

// parseFlags parses names and numbers joined by |.
func (p param) parseFlags(text string) (Flags, error) {
	var f Flags
	if p.one && strings.Contains(text, "|") {
		return f, fmt.Errorf("%s, want a single one", quote(text))
	}
	for part := range strings.SplitSeq(text, "|") {
		if slices.Contains(p.words, part) {
			f.Names = append(f.Names, part)
			continue
		}
		n, err := parseNumber(part)
		if err != nil || n.pages {
			return Flags{}, fmt.Errorf("unknown flag %s, want 0, a number or one of: %s", quote(part), strings.Join(p.words, " "))
		}
		f.Bits |= n.num
	}
	return f, nil
}

// checkName accepts what a name may be. What stands after -> must stay clear: there ENOMEM is never a name.
func checkName(s string) error {
	switch {
	case !isName(s):
		return fmt.Errorf("bad name %s, want a letter, then letters, digits and _", quote(s))
	case s == "ok" || s == "changed" || s == "same" || slices.Contains(errnos, s) || slices.Contains(faults, s):
		return fmt.Errorf("%s is no name, it is a word of expectations", s)
	}
	return nil
}

// checkFileName accepts absolute names, and names below the case's directory.
func checkFileName(s string) error {
	bad := strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\'' })
	if bad || slices.Contains(strings.Split(s, "/"), "..") {
		return fmt.Errorf("bad file name %s", quote(s))
	}
	return nil
}
