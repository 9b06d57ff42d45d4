package main

import (
	"math"
	"slices"
)

// round holds what was measured in one round, by name. What isn't there was not
// measured: it reads as NaN, and so does all that is computed from it.
type round map[string]float64

func (r round) value(name string) float64 {
	if v, ok := r[name]; ok {
		return v
	}
	return math.NaN()
}

// each returns what fn makes of each round.
func each(rounds []round, fn func(round) float64) []float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, fn(r))
	}
	return all
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile returns the value below which the part q of the values lies; between
// two of them, it is in proportion. It is NaN if one of them is, or none is there.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 || slices.ContainsFunc(values, math.IsNaN) {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}
