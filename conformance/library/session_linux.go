package library

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/memmap-go/memmap/conformance"
)

// A session is one case. It knows what the case's names stand for, and has a worker for each process.
type session struct {
	plan  plan
	dir   string
	page  uint64
	all   []*child            // workers; doesn't change any more when the session has started
	idle  []*child            // workers for processes to come
	procs map[string]*process // the living ones, by name

	// lost is why files and shared memory may not hold what the case thinks: a step that would have stored there could
	// not be done. "" if all could.
	lost string

	appendOnly map[string]bool // files that can't be removed as long as they have the attribute
}

// A process of a case.
type process struct {
	*child
	names map[string]binding
}

// A binding is what a name stands for: an address, or nothing because its step was not expressible.
type binding struct {
	addr    uint64
	missing string // why there is no address; "" if there is one
	private bool   // stores there would have been seen by this process alone
}

// try starts and ends a worker.
func try(program string) error {
	c, err := startChild(program)
	if err != nil {
		return err
	}
	if _, err := c.ask(request{Setup: &setup{}}); err != nil {
		return fmt.Errorf("%s does not work as a worker (its main or TestMain must call WorkerMain first): %w", program, err)
	}
	return c.end()
}

func start(program string, c *conformance.Case, env *conformance.Env) (conformance.Session, error) {
	dir, err := env.Dir(c)
	if err != nil {
		return nil, err
	}
	s := &session{
		plan: newPlan(c), dir: dir, page: uint64(os.Getpagesize()),
		procs: map[string]*process{}, appendOnly: map[string]bool{},
	}
	for range s.plan.processes {
		w, err := startChild(program)
		if err != nil {
			return nil, errors.Join(err, s.Close())
		}
		s.idle, s.all = append(s.idle, w), append(s.all, w)
	}
	if _, err := s.begin(conformance.MainProc, map[string]binding{}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// begin makes an idle worker a process of the case.
func (s *session) begin(name string, names map[string]binding) (*process, error) {
	w := s.idle[0]
	s.idle = s.idle[1:]
	p := &process{child: w, names: names}
	s.procs[name] = p
	_, err := w.ask(request{Setup: &setup{Dir: s.dir}})
	return p, err
}

// Eval implements conformance.Session.
func (s *session) Eval(proc string, e conformance.Expr) (uint64, error) {
	p, err := s.process(proc)
	if err != nil {
		return 0, err
	}
	return s.eval(p, e)
}

func (s *session) process(name string) (*process, error) {
	if p := s.procs[name]; p != nil {
		return p, nil
	}
	return nil, inexpressible("process " + name + " could not be made")
}

// eval gives an expression's value in the process's names.
func (s *session) eval(p *process, e conformance.Expr) (uint64, error) {
	var missing error
	v, err := e.Eval(s.page, func(name string) (uint64, bool) {
		b := p.names[name]
		if b.missing != "" {
			missing = inexpressible(name + ": " + b.missing)
		}
		return b.addr, b.missing == "" && b != binding{}
	})
	if missing != nil {
		return 0, missing
	}
	return v, err
}

// inexpressible is ErrNotExpressible with a reason.
func inexpressible(reason string) error {
	return fmt.Errorf("%w: %s", conformance.ErrNotExpressible, reason)
}

// Do implements conformance.Session.
func (s *session) Do(st *conformance.Step) (conformance.Result, error) {
	answer, err := s.do(st)
	if err == nil && answer.Refused != "" {
		err = inexpressible(answer.Refused)
	}
	if errors.Is(err, conformance.ErrNotExpressible) {
		s.refused(st, err, answer.Private)
	}
	return answer.Result, err
}

func (s *session) do(st *conformance.Step) (reply, error) {
	if s.plan.refused != "" {
		return reply{Refused: s.plan.refused}, nil
	}
	p, err := s.process(st.Proc)
	if err != nil {
		return reply{}, err
	}
	if s.lost != "" && readsContents(st.Op) {
		return reply{Refused: s.lost}, nil
	}
	switch st.Op {
	case "fork":
		return s.fork(p, st.Args[0].Name)
	case "spawn":
		_, err := s.begin(st.Args[0].Name, map[string]binding{})
		return reply{}, err
	case "exit":
		delete(s.procs, st.Proc)
		return reply{}, p.end()
	}
	return s.pass(p, st)
}

// pass has the process's worker do the step.
func (s *session) pass(p *process, st *conformance.Step) (reply, error) {
	w := step{Line: st.Line, Op: st.Op, Var: st.Var, LastPlaced: s.plan.placements[st.Line]}
	for _, a := range st.Args {
		v, err := s.value(p, a)
		if err != nil {
			return reply{}, err
		}
		w.Args = append(w.Args, v)
	}
	answer, err := p.ask(request{Step: &w})
	if err != nil {
		return reply{}, err
	}
	if st.Op == "chattr" {
		s.appendOnly[st.Args[0].Name] = st.Args[1].Name == "+a"
	}
	if st.Var != "" && answer.Result.Kind == conformance.ResultAddress && answer.Refused == "" {
		p.names[st.Var] = binding{addr: answer.Result.Value}
	}
	return answer, nil
}

// value gives an argument's expressions their values.
func (s *session) value(p *process, a conformance.Arg) (arg, error) {
	eval := func(e conformance.Expr) (uint64, error) { return s.eval(p, e) }
	v, err := eval(a.Expr)
	if err != nil {
		return arg{}, err
	}
	w := arg{Kind: a.Kind, Name: a.Name, Value: v, Flags: a.Flags}
	w.Bytes, err = a.Bytes.Expand(eval)
	return w, err
}

// refused draws the consequences of a step that could not be done: its name stands for nothing, and what it would
// have stored is missing.
func (s *session) refused(st *conformance.Step, reason error, private bool) {
	p := s.procs[st.Proc]
	if p != nil && st.Op == "mmap" {
		flags := st.Args[3].Flags
		private = flags.Has("private") || flags.Has("droppable")
	}
	if p != nil && st.Var != "" {
		why := strings.TrimPrefix(reason.Error(), conformance.ErrNotExpressible.Error()+": ")
		p.names[st.Var] = binding{missing: why, private: private}
	}
	if !storesContents(st.Op) || private || s.lost != "" {
		return
	}
	if p != nil && p.private(st) {
		return
	}
	s.lost = fmt.Sprintf("what line %d would have stored is missing", st.Line)
}

// private reports whether a step failed by a name that stands for nothing, and what it would have stored could be
// seen by this process alone.
func (p *process) private(st *conformance.Step) bool {
	private := false
	for _, a := range st.Args {
		for _, name := range a.Expr.Names() {
			if b := p.names[name]; b.missing != "" {
				if !b.private {
					return false
				}
				private = true
			}
		}
	}
	return private
}

// storesContents and readsContents are the operations on what files and memory hold.
func storesContents(op string) bool {
	return slices.Contains([]string{"store", "readto", "writefrom", "pwrite", "ftruncate", "punch", "allocate", "file"}, op)
}

func readsContents(op string) bool {
	return slices.Contains([]string{"load", "pread", "readto", "writefrom", "mtime", "size"}, op)
}

// fork starts a process that gets what can be shared.
func (s *session) fork(parent *process, name string) (reply, error) {
	answer, err := parent.ask(request{Bequeath: true})
	if err != nil || answer.Refused != "" {
		return answer, err
	}
	p, err := s.begin(name, map[string]binding{})
	if err != nil {
		return reply{}, err
	}
	if err := relay(parent.child, p.child, answer.Estate.descriptors()); err != nil {
		return reply{}, err
	}
	inherited, err := p.ask(request{Inherit: answer.Estate})
	if err != nil {
		return reply{}, err
	}
	for name, b := range parent.names {
		p.names[name] = b.relocated(inherited.Relocated, answer.Estate.Kept)
	}
	return reply{}, nil
}

// relay passes descriptors from one worker to another.
func relay(from, to *child, n int) error {
	for range n {
		fd, err := from.receiveDescriptor()
		if err != nil {
			return err
		}
		f := os.NewFile(uintptr(fd), "relayed")
		if err := errors.Join(to.sendDescriptor(fd), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// relocated is what the name stands for in a child of fork.
func (b binding) relocated(moves []relocate, kept []keptMemory) binding {
	if b.missing != "" {
		return b
	}
	for _, m := range moves {
		if m.From.holds(b.addr) {
			return binding{addr: m.To + b.addr - m.From.Lo}
		}
	}
	shared := slices.ContainsFunc(kept, func(k keptMemory) bool { return k.Shared && k.Span.holds(b.addr) })
	return binding{missing: notHandedOn, private: !shared}
}

// Interrupt implements conformance.Interrupter.
func (s *session) Interrupt() {
	for _, w := range s.all {
		w.interrupt()
	}
}

// Close implements conformance.Session.
func (s *session) Close() error {
	var errs []error
	for name, p := range s.procs {
		if p.cmd.ProcessState != nil {
			continue // it died, and the step told
		}
		if err := p.end(); err != nil {
			errs = append(errs, fmt.Errorf("process %s: %w", name, err))
		}
	}
	for _, w := range s.idle {
		errs = append(errs, w.kill())
	}
	for name, on := range s.appendOnly {
		if on {
			errs = append(errs, clearAppendOnly(s.dir, name))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
