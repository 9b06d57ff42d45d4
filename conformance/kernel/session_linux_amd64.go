package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/memmap-go/memmap/conformance"
	"github.com/memmap-go/memmap/internal/sys"
)

// A session is one case with its processes.
//
// ptrace(2) wants all calls for a process from the thread that started it. So a session keeps its goroutine on one
// thread from start to Close, and is used by that goroutine alone, but for Interrupt.
type session struct {
	dir        string              // the case's files
	procs      map[string]*process // the living ones, by name
	appendOnly map[string]bool     // files that can't be removed as long as they have the attribute
	unpin      func() error        // gives the thread its CPUs back

	interrupted atomic.Bool // ends the step that is being done; set by any goroutine
}

// try starts and ends one process, to see whether that is allowed here.
func try() error {
	s, err := newSession("")
	if err != nil {
		return err
	}
	return s.Close()
}

func start(c *conformance.Case, env *conformance.Env) (conformance.Session, error) {
	dir, err := env.Dir(c)
	if err != nil {
		return nil, err
	}
	s, err := newSession(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// newSession begins a session with its first process.
func newSession(dir string) (*session, error) {
	runtime.LockOSThread()
	unpin, err := sys.PinThread()
	if err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("pin thread: %w", err)
	}
	s := &session{dir: dir, procs: map[string]*process{}, appendOnly: map[string]bool{}, unpin: unpin}
	if err := s.spawn(conformance.MainProc); err != nil {
		return nil, errors.Join(fmt.Errorf("trace a child process: %w", err), s.end())
	}
	return s, nil
}

// spawn starts an unrelated process.
func (s *session) spawn(name string) error {
	p, err := newProcess(&s.interrupted)
	if err != nil {
		return err
	}
	s.procs[name] = p
	return nil
}

// Do implements conformance.Session.
func (s *session) Do(st *conformance.Step) (conformance.Result, error) {
	p, err := s.process(st.Proc)
	if err != nil {
		return conformance.Result{}, err
	}
	do, ok := operations[st.Op]
	if !ok {
		return conformance.Result{}, fmt.Errorf("%w: no operation %s", conformance.ErrNotExpressible, st.Op)
	}
	r, err := do(&call{process: p, session: s, step: st})
	if errors.Is(err, syscall.ESRCH) { // it was killed while it was stopped, and must be reaped
		err = cmp.Or(sys.KillTracee(p.pid), errKilled)
	}
	if errors.Is(err, errKilled) {
		delete(s.procs, st.Proc)
		return conformance.Fault("KILLED"), nil
	}
	return r, err
}

func (s *session) process(name string) (*process, error) {
	if p := s.procs[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("process %s is not alive", name)
}

// Eval implements conformance.Session.
func (s *session) Eval(proc string, e conformance.Expr) (uint64, error) {
	p, err := s.process(proc)
	if err != nil {
		return 0, err
	}
	return p.eval(e)
}

// Interrupt implements conformance.Interrupter.
func (s *session) Interrupt() { s.interrupted.Store(true) }

// Close implements conformance.Session.
func (s *session) Close() error {
	err := s.end()
	for name := range s.appendOnly {
		err = errors.Join(err, clearAppendOnly(name))
	}
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// end ends all processes and lets go of the thread, which has no tracees left then.
func (s *session) end() error {
	var errs []error
	for _, p := range s.procs {
		errs = append(errs, sys.KillTracee(p.pid))
	}
	clear(s.procs)
	errs = append(errs, s.unpin())
	runtime.UnlockOSThread()
	return errors.Join(errs...)
}

func clearAppendOnly(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return sys.SetAppendOnly(f, false)
}

// path is where a file that a case names really is.
func (s *session) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

// name is what a case calls the file at a path: the reverse of path.
func (s *session) name(path string) string {
	if name, ok := strings.CutPrefix(path, s.dir+"/"); ok {
		return name
	}
	return path
}
