package foreign

import (
	"math"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
)

// Probe makes n encoded rows where a wrong reading of the model would show: on
// its thresholds and one step beside them, in and out of its category sets, near
// zero, missing and unseen. They are the test rows of an imported bundle. The
// same model gives the same rows.
//
// Most rows walk down to a leaf of a tree, each threshold on the way hit as
// closely as its side allows; the values that the walk leaves open are drawn from
// the same places.
func Probe(m *bundle.Model, n int) bundle.Rows {
	rng := seed.Stream(0, "foreign/probe", 0)
	p := prober{fields: m.Contract.Inputs()}
	p.candidates = make([][]float64, len(p.fields))
	for j, f := range p.fields {
		p.candidates[j] = []float64{math.NaN(), 0, 1, -1}
		if f.Kind == data.Category {
			p.candidates[j] = []float64{math.NaN()}
			for c := range len(f.Categories) + 1 { // the last is unseen
				p.candidates[j] = append(p.candidates[j], float64(c))
			}
		}
	}
	for k := range m.Members {
		p.collect(&m.Members[k])
	}
	rows := bundle.Rows{N: n, Cols: len(p.fields), Data: make([]float64, n*len(p.fields))}
	for i := range n {
		row := rows.Row(i)
		for j, c := range p.candidates {
			row[j] = c[rng.IntN(len(c))]
		}
		member := &m.Members[rng.IntN(len(m.Members))]
		if f := member.Trees; f != nil && len(f.Root) > 1 && i%4 != 0 {
			walk(row, member, rng.IntN(len(f.Root)-1), func() bool { return rng.IntN(2) == 0 })
		}
	}
	return rows
}

// prober collects what values are worth a try.
type prober struct {
	fields     []data.Field
	candidates [][]float64 // by input
}

// mostCandidates bounds the thresholds that are collected for one input.
const mostCandidates = 3000

func (p *prober) collect(member *bundle.Member) {
	f := member.Trees
	if f == nil {
		return
	}
	for i := range f.Feature {
		if f.Left[i] < 0 || f.Set[i] >= 0 {
			continue
		}
		j := member.Plan[f.Feature[i]].Input
		if len(p.candidates[j]) < mostCandidates && !slices.Contains(p.candidates[j], f.Threshold[i]) {
			p.candidates[j] = append(p.candidates[j], f.Threshold[i], closest(f.Threshold[i], false))
		}
	}
}

// closest returns the value nearest to a threshold that goes left, or right.
func closest(threshold float64, left bool) float64 {
	if left {
		return threshold
	}
	return math.Nextafter(threshold, math.Inf(1))
}

// walk sets the values that lead the row to a leaf of the tree, as far as the
// steps of the plan leave them as they are.
func walk(row []float64, member *bundle.Member, t int, left func() bool) {
	f := member.Trees
	for n := f.Root[t]; f.Left[n] >= 0; {
		j := member.Plan[f.Feature[n]].Input
		goLeft := left()
		if f.Set[n] < 0 {
			row[j] = closest(f.Threshold[n], goLeft)
		} else if c, ok := inSet(f, n); ok && goLeft {
			row[j] = c
		}
		if goLeft {
			n = f.Left[n]
		} else {
			n = f.Right[n]
		}
	}
}

// inSet returns the first category of the set of node n.
func inSet(f *tree.Forest, n int32) (float64, bool) {
	for w, word := range f.Sets[f.Set[n]] {
		for b := range 64 {
			if word>>b&1 == 1 {
				return float64(64*w + b), true
			}
		}
	}
	return 0, false
}
