package gbdt

import (
	"slices"

	"github.com/tandem-ml/tandem/data/seed"
)

// within returns v moved into the node's bounds.
func (n *node) within(v float64) float64 { return max(n.lower, min(n.upper, v)) }

// constrain gives the children of n the features and values they may have.
//
// Monotone constraints: when n is split by a constrained feature, the middle
// of its children's values bounds everything below them, one child from above
// and the other from below. Whatever is split later, no value on the lower
// side passes one on the higher side, so the tree never falls where it must
// rise; and neither does a sum of such trees. (This is the basic method of
// XGBoost and LightGBM: sure, and more cautious than it would have to be.)
func (g *grower) constrain(n *node, l, r *node) {
	k := n.split.feature
	if g.monotone != nil && g.monotone[k] != 0 {
		q := g.newSearch(n)
		left := q.value(gradientOf(l.sums), hessianOf(l.sums)+q.lambda)
		right := q.value(gradientOf(r.sums), hessianOf(r.sums)+q.lambda)
		middle := n.within((left/2 + right/2) * (g.scale.h / g.scale.g))
		if g.monotone[k] > 0 {
			l.upper, r.lower = middle, middle
		} else {
			l.lower, r.upper = middle, middle
		}
	}
	if g.groups != nil {
		path := slices.Clone(n.path)
		if !slices.Contains(path, k) {
			path = append(path, k)
		}
		l.path, r.path = path, path
	}
	l.features, r.features = g.featuresOf(l), g.featuresOf(r)
}

// featuresOf returns which features of the matrix a node may be split by: of
// those of the tree, the ones that may meet all features on its path, and of
// these the share that is drawn for it.
func (g *grower) featuresOf(n *node) []bool {
	if g.groups == nil && g.s.nodeFraction == 1 {
		return g.allowed
	}
	var may []int
	for k, ok := range g.allowed {
		if ok && g.meets(k, n.path) {
			may = append(may, k)
		}
	}
	if g.s.nodeFraction < 1 && len(may) > 0 {
		may = draw(may, share(len(may), g.s.nodeFraction), seed.Stream(g.key, "gbdt/node", n.number))
	}
	features := make([]bool, len(g.allowed))
	for _, k := range may {
		features[k] = true
	}
	return features
}

// meets reports whether feature k may be used below the features of a path.
func (g *grower) meets(k int, path []int) bool {
	if g.groups == nil || len(path) == 0 {
		return true
	}
	return slices.ContainsFunc(g.groups, func(group []bool) bool {
		return group[k] && !slices.ContainsFunc(path, func(p int) bool { return !group[p] })
	})
}

// groupsOf returns the groups of columns as sets of the matrix' features. A
// feature in no group is a group of its own.
func (m *matrix) groupsOf(groups [][]int) [][]bool {
	if groups == nil {
		return nil
	}
	var sets [][]bool
	for _, columns := range groups {
		set := make([]bool, len(m.features))
		for k := range set {
			set[k] = slices.Contains(columns, m.features[k].column)
		}
		sets = append(sets, set)
	}
	for k := range m.features {
		if !slices.ContainsFunc(sets, func(set []bool) bool { return set[k] }) {
			set := make([]bool, len(m.features))
			set[k] = true
			sets = append(sets, set)
		}
	}
	return sets
}

// directions returns the constraints on the matrix' features; nil: none.
func (m *matrix) directions(monotone []float64) []float64 {
	if !slices.ContainsFunc(monotone, func(x float64) bool { return x != 0 }) {
		return nil
	}
	list := make([]float64, len(m.features))
	for k := range list {
		list[k] = monotone[m.features[k].column]
	}
	return list
}
