package main

import (
	"slices"

	"github.com/memmap-go/memmap/conformance"
)

// A watcher is a runner that looks at areas not only when a case says so, but also as soon as they exist.
// So the tour can show areas before and after, both as they were. Looking changes nothing.
type watcher struct {
	conformance.Runner
	before map[int][]conformance.Area // of the last case, by the line of the areas step that shows what came after
}

func newWatcher(r conformance.Runner) *watcher { return &watcher{Runner: r} }

// Start implements conformance.Runner.
func (w *watcher) Start(c *conformance.Case, env *conformance.Env) (conformance.Session, error) {
	w.before = map[int][]conformance.Area{}
	s, err := w.Runner.Start(c, env)
	if err != nil {
		return nil, err
	}
	return &watchedSession{Session: s, watcher: w, looks: looksOf(c)}, nil
}

type watchedSession struct {
	conformance.Session
	watcher *watcher
	looks   []*look // those still to come
}

// A look is an areas step of the case, and what there was before it.
type look struct {
	step   conformance.Step
	addr   uint64
	before []conformance.Area // nil until the range exists
}

// looksOf returns the areas steps of a case. A repeated one has no single range, and is left out.
func looksOf(c *conformance.Case) []*look {
	var looks []*look
	for _, s := range c.Steps {
		if s.Op == "areas" && s.Repeat.Kind == conformance.Once {
			looks = append(looks, &look{step: s})
		}
	}
	return looks
}

// Interrupt implements conformance.Interrupter.
func (s *watchedSession) Interrupt() {
	if i, ok := s.Session.(conformance.Interrupter); ok {
		i.Interrupt()
	}
}

// Do implements conformance.Session.
func (s *watchedSession) Do(st *conformance.Step) (conformance.Result, error) {
	if st.Op == "areas" {
		return s.look(st)
	}
	for _, l := range s.looks {
		s.lookAhead(l)
	}
	return s.Session.Do(st)
}

// lookAhead does a look that is still to come, if its range exists already and was not seen yet.
// An error says that it can't be done now, and that is no concern of the case.
func (s *watchedSession) lookAhead(l *look) {
	if l.before != nil {
		return
	}
	addr, err := s.Eval(l.step.Proc, l.step.Args[0].Expr)
	if err != nil {
		return
	}
	if r, err := s.Session.Do(&l.step); err == nil {
		l.addr, l.before = addr, r.Areas
	}
}

// look does an areas step of the case itself. What it shows is what later looks at the same range compare with.
func (s *watchedSession) look(st *conformance.Step) (conformance.Result, error) {
	r, err := s.Session.Do(st)
	if err != nil {
		return r, err
	}
	addr, err := s.Eval(st.Proc, st.Args[0].Expr)
	if err != nil {
		return r, err
	}
	for _, l := range s.looks {
		switch {
		case l.step.Line == st.Line && l.before != nil && l.addr == addr:
			s.watcher.before[st.Line] = l.before
		case sameRange(&l.step, st):
			l.addr, l.before = addr, r.Areas
		}
	}
	s.looks = slices.DeleteFunc(s.looks, func(l *look) bool { return l.step.Line == st.Line })
	return r, nil
}

func sameRange(a, b *conformance.Step) bool {
	return a.Proc == b.Proc && a.Args[0].Text == b.Args[0].Text && a.Args[1].Text == b.Args[1].Text
}
