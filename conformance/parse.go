package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Parse reads one file of cases. name is what errors call the file: they read "name:line: what is wrong".
// It accepts only what LANGUAGE.md describes: an operation, flag, need, process or name that it doesn't know is an error.
func Parse(name string, r io.Reader) (*Section, error) {
	p := parser{
		file:    name,
		section: &Section{Name: strings.TrimSuffix(path.Base(name), path.Ext(name))},
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		p.line++
		if err := p.parseLine(lines.Text()); err != nil {
			return nil, p.wrap(err)
		}
	}
	if err := lines.Err(); err != nil {
		p.line++
		if errors.Is(err, bufio.ErrTooLong) {
			err = fmt.Errorf("a line of more than %d bytes: is this a file of cases?", bufio.MaxScanTokenSize)
		}
		return nil, p.wrap(err)
	}
	if err := p.endFile(); err != nil {
		return nil, p.wrap(err)
	}
	return p.section, nil
}

// A parser holds what is known between two lines of a file.
type parser struct {
	file    string
	line    int
	section *Section
	scope   *scope   // of the current case; nil before the first
	say     []string // narration that waits for its step
}

// wrap says where an error is. That a file has nothing in it is said of its first line.
func (p *parser) wrap(err error) error { return fmt.Errorf("%s:%d: %w", p.file, max(p.line, 1), err) }

// current is the case being read.
func (p *parser) current() *Case {
	if len(p.section.Cases) == 0 {
		return nil
	}
	return p.section.Cases[len(p.section.Cases)-1]
}

// byteOrderMark is what some editors write before the first line of UTF-8.
const byteOrderMark = "\ufeff"

func (p *parser) parseLine(line string) error {
	if p.line == 1 {
		line = strings.TrimPrefix(line, byteOrderMark)
	}
	if err := checkText(line); err != nil {
		return err
	}
	line = strings.TrimSpace(line)
	if text, ok := strings.CutPrefix(line, ">"); ok {
		return p.narrate(text)
	}
	if value, ok := strings.CutPrefix(line, "section:"); ok {
		return p.beginSection(strings.TrimSpace(value))
	}
	if value, ok := strings.CutPrefix(line, "case "); ok {
		return p.beginCase(value)
	}
	for _, h := range headers {
		if value, ok := strings.CutPrefix(line, h.name+":"); ok {
			return p.header(h, strings.TrimSpace(value))
		}
	}
	toks, err := tokens(line)
	if err != nil || len(toks) == 0 {
		return err
	}
	return p.step(toks)
}

// checkText refuses what stands in no text: the bytes of a binary file would only make a message unreadable.
func checkText(line string) error {
	control := func(r rune) bool { return r < ' ' && r != '\t' && r != '\r' }
	if !utf8.ValidString(line) || strings.ContainsFunc(line, control) {
		return fmt.Errorf("no text in UTF-8: is this a file of cases? The line is %s", quote(line))
	}
	return nil
}

// quote quotes what stands in a file for a message, shortened.
func quote(s string) string {
	const most = 80
	q := strconv.Quote(s)
	if utf8.RuneCountInString(q) <= most {
		return q
	}
	return string([]rune(q)[:most]) + "…"
}

func (p *parser) narrate(text string) error {
	switch {
	case text != "" && text[0] != ' ' && text[0] != '\t':
		return errors.New("want a space after >, which begins narration")
	case p.current() == nil:
		return errors.New("narration before the first case")
	}
	p.say = append(p.say, strings.TrimSpace(text))
	return nil
}

func (p *parser) beginSection(title string) error {
	switch {
	case p.section.Title != "":
		return errors.New("second section line")
	case p.current() != nil:
		return errors.New("the section line must come before the first case")
	case title == "":
		return errors.New("section without a title")
	}
	p.section.Title = title
	return nil
}

func (p *parser) beginCase(value string) error {
	if err := p.endCase(); err != nil {
		return err
	}
	name, title, ok := strings.Cut(value, ":")
	name, title = strings.TrimSpace(name), strings.TrimSpace(title)
	switch {
	case p.section.Title == "":
		return errors.New("case before the section line")
	case !ok || title == "":
		return errors.New("want case NAME: WHAT IS SHOWN")
	case !isCaseName(name):
		return fmt.Errorf("bad case name %s, want lower case, digits and hyphens", quote(name))
	}
	for _, c := range p.section.Cases {
		if c.Name == name {
			return fmt.Errorf("second case %s, the first is on line %d", name, c.Line)
		}
	}
	p.section.Cases = append(p.section.Cases, &Case{Name: name, Title: title, File: p.file, Line: p.line})
	p.scope = newScope()
	return nil
}

func isCaseName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// endCase checks what can only be seen when a case is complete.
func (p *parser) endCase() error {
	if c := p.current(); c != nil && len(c.Steps) == 0 {
		return fmt.Errorf("case %s has no steps", c.Name)
	}
	if len(p.say) > 0 {
		return errors.New("narration without a step after it")
	}
	return nil
}

func (p *parser) endFile() error {
	switch {
	case p.line == 0:
		return errors.New("the file is empty, want section: TITLE and cases")
	case p.section.Title == "":
		return errors.New("no section line")
	}
	if p.current() == nil {
		return errors.New("no cases")
	}
	return p.endCase()
}

// A header is a line between a case's first line and its steps.
type header struct {
	name string
	set  func(c *Case, value string) error
}

var headers = []header{
	{"rule", (*Case).setRules},
	{"source", (*Case).setSource},
	{"needs", (*Case).setNeeds},
}

func (p *parser) header(h header, value string) error {
	c := p.current()
	if c == nil || len(c.Steps) > 0 || len(p.say) > 0 {
		return fmt.Errorf("%s: must stand between a case's first line and its steps", h.name)
	}
	if err := h.set(c, value); err != nil {
		return fmt.Errorf("%s: %w", h.name, err)
	}
	return nil
}

func (c *Case) setRules(value string) error {
	if c.Rules != nil {
		return errors.New("given twice")
	}
	for s := range strings.SplitSeq(value, ",") {
		n, err := parseCount(strings.TrimSpace(s))
		if err != nil {
			return err
		}
		c.Rules = append(c.Rules, n)
	}
	return nil
}

func (c *Case) setSource(value string) error {
	if c.Source != "" {
		return errors.New("given twice")
	}
	if value == "" {
		return errors.New("empty")
	}
	c.Source = value
	return nil
}

func (c *Case) setNeeds(value string) error {
	if c.Needs != nil {
		return errors.New("given twice")
	}
	for s := range strings.SplitSeq(value, ",") {
		n, err := parseNeed(strings.TrimSpace(s))
		if err != nil {
			return err
		}
		c.Needs = append(c.Needs, n)
	}
	return nil
}

// step parses one step and adds it to the current case.
func (p *parser) step(toks []string) error {
	c := p.current()
	if err := p.checkHeader(toks); err != nil {
		return err
	}
	if c == nil {
		return errors.New("step before the first case")
	}
	s := Step{Line: p.line, Text: strings.Join(toks, " "), Say: p.say, Proc: MainProc}
	if err := checkArrow(toks); err != nil {
		return err
	}
	toks, want, hasWant := cutWant(toks)
	toks, err := s.parsePrefixes(toks)
	if err != nil {
		return err
	}
	if err := s.parseOperation(toks); err != nil {
		return err
	}
	if hasWant {
		if err := s.parseWant(want); err != nil {
			return err
		}
	}
	if err := s.checkPossible(); err != nil {
		return err
	}
	if err := p.scope.check(&s); err != nil {
		return err
	}
	p.say = nil
	c.Steps = append(c.Steps, s)
	return nil
}

// checkHeader finds a misspelt header: it looks like the step of a process, but no operation follows.
func (p *parser) checkHeader(toks []string) error {
	name, ok := strings.CutSuffix(toks[0], ":")
	if !ok || p.scope != nil && p.scope.procs[name] != nil || len(toks) > 2 && toks[2] == "=" {
		return nil
	}
	next := first(toks[1:])
	if _, ok := operations[next]; ok || isRepeat(next) {
		return nil
	}
	known := []string{"section: TITLE", "case NAME: TITLE"}
	for _, h := range headers {
		known = append(known, h.name+":")
	}
	return fmt.Errorf("unknown header %s, there are: %s", quote(name+":"), strings.Join(known, ", "))
}

// checkArrow finds an arrow that is written without blanks around it.
func checkArrow(toks []string) error {
	for _, t := range toks {
		before, after := t, ""
		if i := strings.IndexAny(t, `'"`); i >= 0 {
			before, after = t[:i], t[strings.LastIndexAny(t, `'"`):]
		}
		if t != "->" && (strings.Contains(before, "->") || strings.Contains(after, "->")) {
			return fmt.Errorf("want blanks around -> in %s", quote(t))
		}
	}
	return nil
}

// cutWant separates a step from the expectation after "->".
func cutWant(toks []string) (step []string, want string, found bool) {
	i := slices.Index(toks, "->")
	if i < 0 {
		return toks, "", false
	}
	return toks[:i], strings.Join(toks[i+1:], " "), true
}

func (s *Step) parseWant(text string) (err error) {
	if s.Repeat.Kind == Until {
		return errors.New("until says itself how the step ends, so -> can't stand there")
	}
	s.Want, err = parseExpectation(text, operations[s.Op].gives)
	return err
}

// parsePrefixes parses what may stand before the operation and returns the rest.
func (s *Step) parsePrefixes(toks []string) ([]string, error) {
	toks, err := s.parseRepeat(toks)
	if err != nil {
		return nil, err
	}
	if proc, ok := strings.CutSuffix(first(toks), ":"); ok {
		if err := checkName(proc); err != nil {
			return nil, fmt.Errorf("process: %w", err)
		}
		s.Proc, toks = proc, toks[1:]
	}
	if len(toks) > 1 && toks[1] == "=" {
		if err := checkName(toks[0]); err != nil {
			return nil, err
		}
		s.Var, toks = toks[0], toks[2:]
	}
	if next := first(toks); isRepeat(next) || strings.HasSuffix(next, ":") {
		return nil, fmt.Errorf("%s stands too late, the order is: [repeat N i:] [PROCESS:] [NAME =] OPERATION", quote(next))
	}
	return toks, nil
}

// isRepeat reports whether a word begins the prefix that repeats a step.
func isRepeat(word string) bool { return word == "repeat" || word == "until" }

// parseRepeat parses "repeat N i:" and "until ERRNO i N:".
func (s *Step) parseRepeat(toks []string) ([]string, error) {
	r, limit, n := &s.Repeat, "", 0
	switch first(toks) {
	case "repeat":
		if n = 3; len(toks) > n {
			r.Kind, limit, r.Var = Times, toks[1], toks[2]
		}
	case "until":
		if n = 4; len(toks) > n {
			r.Kind, r.Errno, r.Var, limit = Until, toks[1], toks[2], toks[3]
		}
	default:
		return toks, nil
	}
	if r.Kind == Once || !strings.HasSuffix(toks[n-1], ":") {
		return nil, errors.New("want repeat N i: STEP or until ERRNO i N: STEP")
	}
	r.Var, limit = strings.TrimSuffix(r.Var, ":"), strings.TrimSuffix(limit, ":")
	if r.Kind == Until && !slices.Contains(errnos, r.Errno) {
		return nil, fmt.Errorf("unknown error number %s", quote(r.Errno))
	}
	var err error
	if r.Limit, err = parseExpr(limit); err != nil {
		return nil, err
	}
	return toks[n:], checkName(r.Var)
}

func first(toks []string) string {
	if len(toks) == 0 {
		return ""
	}
	return toks[0]
}

func (s *Step) parseOperation(toks []string) error {
	s.Op = first(toks)
	o, ok := operations[s.Op]
	if !ok {
		return fmt.Errorf("unknown operation %s", quote(s.Op))
	}
	args := toks[1:]
	if !o.accepts(len(args)) {
		return fmt.Errorf("%d arguments, want %s%s", len(args), o.usage(s.Op), hintBlanks(args))
	}
	if s.Var != "" && !o.defines {
		return fmt.Errorf("%s gives nothing that a name could keep", s.Op)
	}
	for i, text := range args {
		a, err := o.params[i].parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w%s", s.Op, err, hintBlanks(args))
		}
		s.Args = append(s.Args, a)
	}
	return nil
}

// hintBlanks is what a message adds if an expression seems to be written with blanks.
func hintBlanks(args []string) string {
	for i, a := range args {
		begins := strings.HasPrefix(a, "+") || strings.HasPrefix(a, "*") || a == "-"
		ends := strings.HasSuffix(a, "+") || strings.HasSuffix(a, "*") || len(a) > 1 && strings.HasSuffix(a, "-")
		if begins && i > 0 || ends && i < len(args)-1 {
			return " (no blanks inside expressions: m+1p)"
		}
	}
	return ""
}

// tokens splits a line at blanks, keeps quoted bytes and texts whole, and drops a comment.
func tokens(line string) ([]string, error) {
	var toks []string
	for rest := strings.TrimSpace(line); rest != "" && rest[0] != '#'; rest = strings.TrimSpace(rest) {
		n, err := tokenEnd(rest)
		if err != nil {
			return nil, err
		}
		toks = append(toks, rest[:n])
		rest = rest[n:]
	}
	return toks, nil
}

// tokenEnd finds where the first token of s ends.
func tokenEnd(s string) (int, error) {
	for i := 0; i < len(s); {
		switch s[i] {
		case ' ', '\t', '#':
			return i, nil
		case '\'', '"':
			q, err := strconv.QuotedPrefix(s[i:])
			if err != nil {
				return 0, fmt.Errorf("bad quotes in %s", quote(s[i:]))
			}
			i += len(q)
		default:
			i++
		}
	}
	return len(s), nil
}
