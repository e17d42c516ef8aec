package learntest

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/num"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/learn"
)

// table is a made table with the margins that its labels were drawn from: no
// learner can do better on fresh rows than these.
type table struct {
	learn.Train
	truth [][]float64 // per output
}

// linear makes rows of four independent standard normal features of which
// three matter: truth = 2a - b + c/2.
func linear(task bundle.Task, rows, k int) table {
	rng := seed.Stream(1, "learntest/linear", k)
	return label(task, rng, rows, 4, nil, func(x []float64) float64 {
		for j := range x {
			x[j] = rng.NormFloat64()
		}
		return float64(2*x[0]) - x[1] + float64(0.5*x[2])
	})
}

// raw makes rows in which no single number tells anything: the sign of the
// product of two features, a category of twelve whose even codes push up, and
// a feature whose being missing pushes down.
func raw(task bundle.Task, rows, k int) table {
	rng := seed.Stream(1, "learntest/raw", k)
	categories := []int{0, 0, 12, 0}
	return label(task, rng, rows, 4, categories, func(x []float64) float64 {
		x[0], x[1], x[2], x[3] = rng.NormFloat64(), rng.NormFloat64(), float64(rng.IntN(12)), rng.NormFloat64()
		m := -1.5
		if x[0]*x[1] > 0 {
			m = 1.5
		}
		if int(x[2])%2 == 0 {
			m += 1.5
		} else {
			m -= 1.5
		}
		if rng.IntN(4) == 0 {
			x[3] = math.NaN()
			m -= 1.5
		}
		return m
	})
}

// classes is how many a multiclass table has.
const classes = 3

// label draws rows and their labels: Bernoulli of the logistic of the truth,
// or the truth with noise of standard deviation 1/2. Three classes have the
// margins -m, 0 and m, m being what draw returns.
func label(task bundle.Task, rng *rand.Rand, rows, cols int, categories []int, draw func(x []float64) float64) table {
	t := table{truth: [][]float64{make([]float64, rows)}}
	if task == bundle.Multiclass {
		t.Classes, t.truth = classes, [][]float64{make([]float64, rows), make([]float64, rows), make([]float64, rows)}
	}
	t.Task, t.Categories, t.Seed, t.Workers = task, categories, 7, 1
	t.X = learn.Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}
	t.Y = make([]float64, rows)
	for i := range rows {
		m := draw(t.X.Row(i))
		t.truth[len(t.truth)-1][i] = m
		switch {
		case task == bundle.Multiclass:
			t.truth[0][i] = -m
			p := []float64{-m, 0, m}
			num.Softmax(p)
			if u := rng.Float64(); u < p[2] {
				t.Y[i] = 2
			} else if u < p[2]+p[1] {
				t.Y[i] = 1
			}
		case task == bundle.Regression:
			t.Y[i] = m + float64(0.5*rng.NormFloat64())
		case rng.Float64() < 1/(1+math.Exp(-m)):
			t.Y[i] = 1
		}
	}
	return t
}

// pick returns the table of the given rows of t, which may repeat.
func (t table) pick(rows []int) table {
	p := t
	p.truth = nil
	p.X = learn.Matrix{Rows: len(rows), Cols: t.X.Cols}
	p.Y = nil
	if t.W != nil {
		p.W = []float64{}
	}
	for _, r := range rows {
		p.X.Data = append(p.X.Data, t.X.Row(r)...)
		p.Y = append(p.Y, t.Y[r])
		if t.W != nil {
			p.W = append(p.W, t.W[r])
		}
	}
	return p
}

// clone copies what a learner could modify.
func (t table) clone() table {
	c := t
	c.X.Data = slices.Clone(t.X.Data)
	c.Y, c.W = slices.Clone(t.Y), slices.Clone(t.W)
	c.Categories = slices.Clone(t.Categories)
	return c
}

// quality is AUC for binary tasks (ties count half; Mann and Whitney 1947), R²
// for regression, and for multiclass tasks the mean over the classes of the AUC
// of the probability of one against the others. margins are per output.
func quality(task bundle.Task, y []float64, margins [][]float64) float64 {
	if task == bundle.Multiclass {
		p := make([]float64, len(margins))
		one, share := make([]float64, len(y)), make([]float64, len(y))
		mean := 0.0
		for k := range margins {
			for i := range y {
				for j := range p {
					p[j] = margins[j][i]
				}
				num.Softmax(p)
				one[i], share[i] = 0, p[k]
				if y[i] == float64(k) {
					one[i] = 1
				}
			}
			mean += quality(bundle.Binary, one, [][]float64{share}) / float64(len(margins))
		}
		return mean
	}
	margin := margins[0]
	if task == bundle.Regression {
		mean := 0.0
		for _, v := range y {
			mean += v / float64(len(y))
		}
		rest, total := 0.0, 0.0
		for i, v := range y {
			rest += (v - margin[i]) * (v - margin[i])
			total += (v - mean) * (v - mean)
		}
		return 1 - rest/total
	}
	var positive, negative []float64
	for i, v := range y {
		if v == 1 {
			positive = append(positive, margin[i])
		} else {
			negative = append(negative, margin[i])
		}
	}
	slices.Sort(negative)
	below := 0
	for _, p := range positive {
		first, _ := slices.BinarySearch(negative, p)
		after, _ := slices.BinarySearch(negative, math.Nextafter(p, math.Inf(1)))
		below += first + after // twice the count, ties once
	}
	return float64(below) / 2 / float64(len(positive)*len(negative))
}

// distance is the root mean squared difference of two lists of margins over
// the standard deviation of the second. Margins that differ by rounding only
// count as equal, also where the second list is constant.
func distance(a, b []float64) float64 {
	mean := 0.0
	for _, v := range b {
		mean += v / float64(len(b))
	}
	variance, square, size := 0.0, 0.0, 0.0
	for i, v := range b {
		variance += (v - mean) * (v - mean)
		square += (a[i] - v) * (a[i] - v)
		size += v * v
	}
	if square <= 1e-24*size {
		return 0
	}
	return math.Sqrt(square / variance)
}
