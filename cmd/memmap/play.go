package main

import (
	"context"
	"fmt"

	"github.com/memmap-go/memmap/conformance"
)

// A report tells what came out, as it comes.
type report interface {
	start() error
	group(g *group, guided map[*conformance.Case]bool) error
	result(r *result) error
	end(s *summary) error
}

// A player runs groups of cases one after the other.
type player struct {
	env     *conformance.Env
	kinds   []runnerKind
	runners []conformance.Runner // one of each kind
	watch   *watcher             // the first of runners, or nil if nobody wants to see areas change
	report  report
}

func (p *player) play(ctx context.Context, groups []*group) (*summary, error) {
	sum := newSummary(p.kinds)
	if err := p.report.start(); err != nil {
		return nil, err
	}
	for _, g := range groups {
		if err := p.playGroup(ctx, g, sum); err != nil {
			return nil, err
		}
	}
	return sum, p.report.end(sum)
}

func (p *player) playGroup(ctx context.Context, g *group, sum *summary) error {
	if err := p.report.group(g, g.guided(p.env)); err != nil {
		return err
	}
	for _, c := range g.cases {
		r, err := p.runCase(ctx, g, c)
		if err != nil {
			return err
		}
		sum.add(r)
		if err := p.report.result(r); err != nil {
			return err
		}
	}
	return nil
}

// runCase runs one case through all runners.
func (p *player) runCase(ctx context.Context, g *group, c *conformance.Case) (*result, error) {
	r := &result{group: g, c: c}
	for o := range conformance.Run(ctx, []*conformance.Case{c}, p.runners, p.env) {
		r.outcomes = append(r.outcomes, o)
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("stopped in case %s: %w", c.Name, context.Cause(ctx))
	}
	if p.watch != nil {
		r.before = p.watch.before
	}
	return r, nil
}
