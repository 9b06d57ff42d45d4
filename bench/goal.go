package main

import (
	"fmt"
	"math"
)

// A goal is what a row is to reach. The zero goal is none: the row informs.
type goal struct {
	text string
	met  func(comparison) bool
}

// comparison is ours beside a peer's, over all rounds.
type comparison struct {
	ours, peer float64 // medians
	ratio      float64 // the median of the rounds' ratios, not the ratio of the medians
	low, high  float64 // the quartiles of the ratios: half of the rounds lie between
	more       float64 // the median of the rounds' differences, ours less the peer's
}

// compare compares within each round first. The machine is slower in one round
// than in the next, for ours and for the peer alike.
func compare(rounds []round, ours, peer func(round) float64) comparison {
	ratios := each(rounds, func(r round) float64 { return ours(r) / peer(r) })
	return comparison{
		ours:  median(each(rounds, ours)),
		peer:  median(each(rounds, peer)),
		ratio: median(ratios),
		low:   quantile(ratios, 0.25),
		high:  quantile(ratios, 0.75),
		more:  median(each(rounds, func(r round) float64 { return ours(r) - peer(r) })),
	}
}

func atLeast(ratio float64) goal {
	return goal{fmt.Sprintf("≥ %g ×", ratio), func(c comparison) bool { return c.ratio >= ratio }}
}

func atMost(ratio float64) goal {
	return goal{fmt.Sprintf("≤ %g ×", ratio), func(c comparison) bool { return c.ratio <= ratio }}
}

// atMostMore is for what is added to the peer's, in the row's unit.
func atMostMore(n float64) goal {
	return goal{fmt.Sprintf("≤ peer + %g", n), func(c comparison) bool { return c.more <= n }}
}

// noMore is for what can be nothing at all, and has no ratio then.
var noMore = goal{"≤ peer", func(c comparison) bool { return c.more <= 0 }}

// below is for what must be small by itself, in the row's unit.
func below(n float64) goal {
	return goal{fmt.Sprintf("≤ %g", n), func(c comparison) bool { return c.ours <= n }}
}

// judge says whether a goal is met: nil if there is none, or if what it needs
// wasn't measured.
func (g goal) judge(c comparison) *bool {
	if g.met == nil || math.IsNaN(c.ours) || math.IsNaN(c.peer) {
		return nil
	}
	met := g.met(c)
	return &met
}
