package gbdt

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/metrics"
)

// drawGroups draws groups of rows with labels, and margins of which many are
// equal.
func drawGroups(rng *rand.Rand, groups, most int) (sizes []int, y, w, margin []float64) {
	for range groups {
		size := 1 + rng.IntN(most)
		sizes = append(sizes, size)
		for range size {
			y = append(y, float64(rng.IntN(5)))
			w = append(w, float64(rng.IntN(4))/2)
			margin = append(margin, math.Round(4*rng.NormFloat64())/2)
		}
	}
	return sizes, y, w, margin
}

// lambdas is LambdaRank as the papers write it: every pair, for one group
// without weights.
func lambdas(y, margin []float64, truncation int, norm bool) (g, h []float64) {
	n := len(y)
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(margin[b], margin[a]) })
	place := make([]int, n)
	for p, i := range order {
		place[i] = p
	}
	best := slices.Clone(y)
	slices.Sort(best)
	slices.Reverse(best)
	ideal := 0.0
	for p, l := range best[:min(n, truncation)] {
		ideal += (math.Exp2(l) - 1) / math.Log2(float64(p+2))
	}
	g, h = make([]float64, n), make([]float64, n)
	sum := 0.0
	for i := range y {
		for j := range y {
			if y[i] <= y[j] || min(place[i], place[j]) >= truncation {
				continue
			}
			d := margin[i] - margin[j]
			change := math.Abs((math.Exp2(y[i]) - math.Exp2(y[j])) * (1/math.Log2(float64(place[i]+2)) - 1/math.Log2(float64(place[j]+2))) / ideal)
			if norm && slices.Max(margin) != slices.Min(margin) {
				change /= 0.01 + math.Abs(d)
			}
			rho := 1 / (1 + math.Exp(d))
			g[i] -= rho * change
			g[j] += rho * change
			h[i] += rho * (1 - rho) * change
			h[j] += rho * (1 - rho) * change
			sum += 2 * rho * change
		}
	}
	if norm && sum > 0 {
		for i := range g {
			g[i] *= math.Log2(1+sum) / sum
			h[i] *= math.Log2(1+sum) / sum
		}
	}
	return g, h
}

func TestLambdas(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(1, "lambdas", 0)
	for trial := range 40 {
		sizes, y, w, margin := drawGroups(rng, 1+rng.IntN(8), 60)
		for i := range margin {
			switch trial % 4 {
			case 2:
				margin[i] = 0.5
			case 3:
				margin[i] *= 300 // exp of which does not exist
			}
		}
		s := settings{rankTruncation: float64(1 + rng.IntN(70)), rankNorm: float64(trial % 2), ndcgAt: 10}
		c := newCrew(2)
		rows := len(y)
		g, h := make([]float64, rows), make([]float64, rows)
		newLambdaRank(&s, sizes, y, w).gradients(context.Background(), c, [][]float64{g}, [][]float64{h}, [][]float64{margin}, y, w)
		c.close()
		begin := 0
		for _, size := range sizes {
			var at []int // rows with weight
			var ys, ms []float64
			for i := begin; i < begin+size; i++ {
				if w[i] > 0 {
					at, ys, ms = append(at, i), append(ys, y[i]), append(ms, margin[i])
				} else if g[i] != 0 || h[i] != 0 {
					t.Fatalf("trial %d: row %d of weight 0 has the gradient %g", trial, i, g[i])
				}
			}
			begin += size
			if len(at) == 0 {
				continue
			}
			wantG, wantH := lambdas(ys, ms, int(s.rankTruncation), s.rankNorm == 1)
			for k, i := range at {
				if !(math.Abs(g[i]-wantG[k]*w[i]) <= 1e-12*(1+math.Abs(g[i]))) || !(math.Abs(h[i]-wantH[k]*w[i]) <= 1e-12*(1+h[i])) {
					t.Fatalf("trial %d, %+v: row %d has gradient %g and hessian %g, want %g and %g", trial, s, i, g[i], h[i], wantG[k]*w[i], wantH[k]*w[i])
				}
			}
		}
	}
}

// TestRankLoss compares the mean with that of package metrics, and weights with
// means of single groups.
func TestRankLoss(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(2, "rank loss", 0)
	sizes, y, _, margin := drawGroups(rng, 30, 30)
	for i := range sizes[0] {
		y[i] = 0 // the first group has no NDCG
	}
	w := make([]float64, len(y))
	begin, sum, total := 0, 0.0, 0.0
	for k, size := range sizes {
		end := begin + size
		for i := begin; i < end; i++ {
			w[i] = float64(1 + k%3)
		}
		if v, err := metrics.NDCG(y[begin:end], margin[begin:end], []int{size}, 5); err == nil {
			sum += w[begin] * v
			total += w[begin]
		}
		begin = end
	}
	c := newCrew(2)
	defer c.close()
	s := settings{rankTruncation: 30, ndcgAt: 5}
	ctx := context.Background()
	want, err := metrics.NDCG(y, margin, sizes, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		w    []float64
		want float64
	}{{nil, 1 - want}, {w, 1 - sum/total}} {
		if got := newLambdaRank(&s, sizes, y, k.w).mean(ctx, c, [][]float64{margin}, y, k.w); math.Abs(got-k.want) > 1e-12 {
			t.Errorf("loss %.15g, want %.15g", got, k.want)
		}
	}
}

func TestRanksOfManyRows(t *testing.T) {
	t.Parallel()
	rng := seed.Stream(3, "many", 0)
	for _, n := range []int{0, 1, sortRows, sortRows + 1, 3*sortRows + 7} {
		var r ranking
		var margin []float64
		var want []place
		for i := range n {
			margin = append(margin, float64(rng.IntN(1000)))
			want = append(want, place{margin[i], int32(i)})
		}
		slices.SortStableFunc(want, func(a, b place) int { return int(b.margin - a.margin) })
		r.sort(context.Background(), margin, nil)
		if !slices.Equal(r.order, want) {
			t.Errorf("%d rows are not in order", n)
		}
	}
}

// Searches of 120 results each, and one of 100,000.
func BenchmarkLambdas(b *testing.B) {
	for _, size := range []int{120, 100_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			rng := seed.Stream(4, "bench", 0)
			sizes := slices.Repeat([]int{size}, 120_000/size)
			n := len(sizes) * size
			y, margin, g, h := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
			for i := range y {
				y[i], margin[i] = max(0, float64(rng.IntN(8)-3)), rng.NormFloat64()
			}
			c := newCrew(1)
			defer c.close()
			o := newLambdaRank(&settings{rankTruncation: 30, rankNorm: 1, ndcgAt: 10}, sizes, y, nil)
			for b.Loop() {
				o.gradients(context.Background(), c, [][]float64{g}, [][]float64{h}, [][]float64{margin}, y, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/row")
		})
	}
}
