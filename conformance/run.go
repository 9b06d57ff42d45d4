package conformance

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// A Status says how a step ended.
type Status uint8

const (
	Met          Status = iota + 1 // the step did what the case says
	Differs                        // it did something else
	NotExpressed                   // the runner can't say it
	Failed                         // the runner itself failed
)

// String returns the status in a word or two.
func (s Status) String() string {
	switch s {
	case Met:
		return "met"
	case Differs:
		return "differs"
	case NotExpressed:
		return "not expressed"
	case Failed:
		return "failed"
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// An Answer is what one runner did with one step.
type Answer struct {
	Step   *Step
	Status Status
	Result Result // of the last repetition, if the step is repeated
	Got    string // Result as the language writes it; "" unless Met or Differs
	Err    error  // why, if NotExpressed or Failed
}

// An Outcome is one case run by one runner.
type Outcome struct {
	Case    *Case
	Runner  string
	Skipped string   // the need that is not met here, as "needs root"; then there are no answers
	Answers []Answer // one a step, up to and with the first that is Differs or Failed
	Err     error    // the session did not start or did not end properly
}

// OK reports whether the runner contradicted the case nowhere.
func (o *Outcome) OK() bool {
	if o.Err != nil {
		return false
	}
	for _, a := range o.Answers {
		if a.Status == Differs || a.Status == Failed {
			return false
		}
	}
	return true
}

// Run runs each case through each runner, one after the other, and yields what came out.
// When ctx is done it stops between two steps, or in the middle of one if the session is an [Interrupter]; a case that
// this cuts short has the reason in its Err.
func Run(ctx context.Context, cases []*Case, runners []Runner, env *Env) iter.Seq[Outcome] {
	return func(yield func(Outcome) bool) {
		for _, c := range cases {
			for _, r := range runners {
				if ctx.Err() != nil || !yield(runCase(ctx, c, r, env)) {
					return
				}
			}
		}
	}
}

func runCase(ctx context.Context, c *Case, r Runner, env *Env) (o Outcome) {
	o = Outcome{Case: c, Runner: r.Name()}
	if o.Skipped = env.Unmet(c); o.Skipped != "" {
		return o
	}
	session, err := r.Start(c, env)
	if err != nil {
		o.Err = fmt.Errorf("start: %w", err)
		return o
	}
	defer func() { o.Err = errors.Join(o.Err, session.Close()) }()
	if i, ok := session.(Interrupter); ok {
		stop := context.AfterFunc(ctx, i.Interrupt)
		defer stop()
	}
	p := play{ctx: ctx, session: session, counters: map[string]uint64{}, lost: map[string]bool{}}
	if p.page, err = session.Eval(MainProc, onePage); err != nil {
		o.Err = fmt.Errorf("page size: %w", err)
		return o
	}
	for i := range c.Steps {
		if o.Err = ctx.Err(); o.Err != nil {
			return o
		}
		a := p.step(&c.Steps[i])
		o.Answers = append(o.Answers, a)
		if a.Status == Failed {
			o.Err = ctx.Err()
		}
		if a.Status == Differs || a.Status == Failed {
			break
		}
	}
	return o
}

var onePage = Expr{text: "1p", terms: []term{{factors: []factor{{num: 1, pages: true}}}}}

// A play is one case on its way through one session.
type play struct {
	ctx      context.Context
	session  Session
	page     uint64            // bytes
	counters map[string]uint64 // of the step being repeated, and of finished until steps
	lost     map[string]bool   // counters of until steps that were not expressed
}

// step does one step as often as its prefix says.
func (p *play) step(s *Step) Answer {
	switch s.Repeat.Kind {
	case Times:
		return p.times(s)
	case Until:
		return p.until(s)
	}
	return p.once(s)
}

func (p *play) times(s *Step) Answer {
	n, err := p.eval(s, s.Repeat.Limit)
	if err != nil {
		return stopped(s, err)
	}
	if n == 0 && slices.ContainsFunc(s.Repeat.Limit.Names(), func(name string) bool { return p.lost[name] }) {
		return stopped(s, fmt.Errorf("%w: it is unknown how often", ErrNotExpressible))
	}
	if n == 0 {
		return Answer{Step: s, Status: Differs, Got: "done 0 times, so nothing was checked"}
	}
	defer delete(p.counters, s.Repeat.Var)
	a := Answer{Step: s, Status: Met, Got: "ok"}
	for i := range n {
		if err := p.ctx.Err(); err != nil {
			return stopped(s, err)
		}
		p.counters[s.Repeat.Var] = i
		if a = p.once(s); a.Status != Met {
			if a.Got != "" {
				a.Got += fmt.Sprintf(" (%s is %d)", s.Repeat.Var, i)
			}
			return a
		}
	}
	return a
}

func (p *play) until(s *Step) Answer {
	limit, err := p.eval(s, s.Repeat.Limit)
	if err != nil {
		return stopped(s, err)
	}
	for i := range limit + 1 {
		if err := p.ctx.Err(); err != nil {
			return stopped(s, err)
		}
		p.counters[s.Repeat.Var] = i
		if i == limit {
			break
		}
		r, err := p.do(s.bind(p.counters))
		if err != nil {
			p.lost[s.Repeat.Var] = true
			return stopped(s, err)
		}
		if r.Kind == ResultErrno || r.Kind == ResultFault {
			return p.untilEnds(s, r)
		}
	}
	return Answer{Step: s, Status: Differs, Got: fmt.Sprintf("%d successes", limit)}
}

// untilEnds judges the first failure of an until step.
func (p *play) untilEnds(s *Step, r Result) Answer {
	a := Answer{Step: s, Status: Differs, Result: r}
	if r.Kind == ResultErrno && r.Name == s.Repeat.Errno {
		a.Status = Met
	}
	a.Got = fmt.Sprintf("%s (%s is %d)", r.Name, s.Repeat.Var, p.counters[s.Repeat.Var])
	return a
}

// once does a step and compares. The expectation gets its values first: the step may give its names new ones.
func (p *play) once(s *Step) Answer {
	bound := s.bind(p.counters)
	want, err := bound.Want.resolve(func(e Expr) (uint64, error) { return p.session.Eval(s.Proc, e) })
	if err != nil {
		return stopped(s, err)
	}
	r, err := p.do(bound)
	if err != nil {
		return stopped(s, err)
	}
	if gives := operations[s.Op].gives; r.Kind != gives && r.Kind != ResultErrno && r.Kind != ResultFault {
		return stopped(s, fmt.Errorf("the runner answered %s with a result of kind %d, want %d", s.Op, r.Kind, gives))
	}
	a := Answer{Step: s, Status: Met, Result: r}
	if !want.met(r) {
		a.Status = Differs
	}
	a.Got = want.describe(r, p.page)
	return a
}

// do has the session do a single step. What a new file is filled with is known only now, if names stand in it: a
// runner is kept from work that takes hours, in which nobody could stop it.
func (p *play) do(s *Step) (Result, error) {
	if s.fills() {
		if n, err := p.eval(s, s.Args[1].Expr); err == nil && n > maxFile {
			return Result{}, tooLong(s.Args[1].Text)
		}
	}
	if s.fillsWithBytes() {
		if n, err := p.eval(s, s.Args[2].Bytes.Times); err == nil && n == 0 {
			return Result{}, errNoFill
		}
	}
	return p.session.Do(s)
}

func (p *play) eval(s *Step, e Expr) (uint64, error) {
	return p.session.Eval(s.Proc, e.bind(p.counters))
}

// stopped is the answer of a step that says nothing about the implementation.
func stopped(s *Step, err error) Answer {
	a := Answer{Step: s, Status: Failed, Err: err}
	if errors.Is(err, ErrNotExpressible) {
		a.Status = NotExpressed
	}
	return a
}

// bind returns the step with counters replaced by their values.
func (s *Step) bind(counters map[string]uint64) *Step {
	if len(counters) == 0 {
		return s
	}
	b := *s
	b.Args = slices.Clone(s.Args)
	for i := range b.Args {
		b.Args[i].Expr = b.Args[i].Expr.bind(counters)
		b.Args[i].Bytes.Times = b.Args[i].Bytes.Times.bind(counters)
	}
	b.Want.Areas = slices.Clone(s.Want.Areas)
	for _, e := range b.Want.exprs() {
		*e = e.bind(counters)
	}
	return &b
}
