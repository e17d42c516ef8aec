package metrics

import (
	"fmt"
	"math"
	"slices"
)

// Agreement compares two ways to divide the same rows; 1 is the same division
// under any names.
type Agreement struct {
	AdjustedRand   float64 // pairs treated alike, 0 by chance
	AdjustedMutual float64 // shared information, 0 by chance
	NormalMutual   float64 // shared information over the mean entropy, in [0, 1]; grows with the number of clusters
	Homogeneity    float64 // each cluster of b within one of a
	Completeness   float64 // each cluster of a within one of b
	VMeasure       float64 // harmonic mean of the two before
	FowlkesMallows float64 // geometric mean of the shares of pairs of each that the other keeps together
}

// CompareClusters compares the division a, the truth if there is one, with b. Both
// name a cluster for each row, by any number; they are of equal length, not empty
// (ErrEmpty). Time O(n log n + cells * n) for the adjustment for chance.
//
// Method: Hubert and Arabie, J. Classification 2, 1985; Vinh, Epps and Bailey,
// JMLR 11, 2010 (arithmetic mean of the entropies); Rosenberg and Hirschberg, EMNLP
// 2007; Fowlkes and Mallows, J. American Statistical Association 78, 1983.
func CompareClusters(a, b []int) (Agreement, error) {
	if err := checkLengths(len(a), len(b), 0); err != nil {
		return Agreement{}, err
	}
	codeA, na := numbered(a)
	codeB, nb := numbered(b)
	n := float64(len(a))
	cells := map[[2]int]float64{}
	sizeA, sizeB := make([]float64, na), make([]float64, nb)
	for i := range a {
		cells[[2]int{codeA[i], codeB[i]}]++
		sizeA[codeA[i]]++
		sizeB[codeB[i]]++
	}
	keys := make([][2]int, 0, len(cells))
	for key := range cells {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(x, y [2]int) int { return slices.Compare(x[:], y[:]) })
	two := func(m float64) float64 { return m * (m - 1) / 2 }
	var both, mutual float64
	for _, key := range keys {
		m := cells[key]
		both += two(m)
		mutual += m / n * math.Log(n*m/(sizeA[key[0]]*sizeB[key[1]]))
	}
	mutual = math.Max(0, mutual)
	side := func(size []float64) (pairs, entropy float64) {
		for _, m := range size {
			pairs += two(m)
			entropy -= m / n * math.Log(m/n)
		}
		return pairs, entropy
	}
	pairsA, entropyA := side(sizeA)
	pairsB, entropyB := side(sizeB)
	share := func(part, whole, otherwise float64) float64 {
		if whole == 0 {
			return otherwise
		}
		return part / whole
	}
	var g Agreement
	chance := share(pairsA*pairsB, two(n), 0)
	g.AdjustedRand = share(both-chance, (pairsA+pairsB)/2-chance, 1)
	g.Homogeneity = share(mutual, entropyA, 1)
	g.Completeness = share(mutual, entropyB, 1)
	g.VMeasure = share(2*g.Homogeneity*g.Completeness, g.Homogeneity+g.Completeness, 0)
	mean := (entropyA + entropyB) / 2
	g.NormalMutual = share(mutual, mean, 1)
	g.FowlkesMallows = share(both, math.Sqrt(pairsA)*math.Sqrt(pairsB), 0)
	// Two divisions into single rows, or into one cluster, are the same.
	if na == nb && (na == 1 || na == len(a)) {
		g.AdjustedMutual = 1
	} else {
		expected := expectedMutual(sizeA, sizeB, n)
		g.AdjustedMutual = share(mutual-expected, mean-expected, 1)
	}
	return g, nil
}

// expectedMutual is the mean mutual information of divisions into clusters of
// these sizes at random: each cell is hypergeometric.
func expectedMutual(sizeA, sizeB []float64, n float64) float64 {
	logFact := make([]float64, int(n)+1)
	for i := range logFact {
		logFact[i], _ = math.Lgamma(float64(i) + 1)
	}
	lf := func(v float64) float64 { return logFact[int(v)] }
	sum := 0.0
	for _, a := range sizeA {
		for _, b := range sizeB {
			fixed := lf(a) + lf(b) + lf(n-a) + lf(n-b) - lf(n)
			for m := math.Max(1, a+b-n); m <= math.Min(a, b); m++ {
				sum += m / n * math.Log(n*m/(a*b)) * math.Exp(fixed-lf(m)-lf(a-m)-lf(b-m)-lf(n-a-b+m))
			}
		}
	}
	return sum
}

// Shape judges clusters by the distances between their rows alone.
type Shape struct {
	// Silhouette is the mean over rows of (b-a)/max(a, b): a the mean distance to
	// the rows of its own cluster, b that to the nearest other; in [-1, 1]. A row
	// alone counts 0.
	Silhouette       float64
	DaviesBouldin    float64 // mean over clusters of the worst ratio of spread to distance; lower is better
	CalinskiHarabasz float64 // variance between over variance within; higher is better
	Inertia          float64 // sum of the squared distances to the centers
}

// ShapeOf judges the clusters of the rows x: one slice per row, of one length,
// finite (ErrValue). cluster names the cluster of each row, by any number; there are
// two or more, and fewer than rows (ErrOneClass); ErrConstant if two clusters have
// one center. Distances are Euclidean: scale the columns first. Time O(n^2 p).
//
// Method: Rousseeuw, J. Computational and Applied Mathematics 20, 1987; Davies and
// Bouldin, IEEE PAMI 1, 1979; Calinski and Harabasz, Communications in Statistics
// 3, 1974.
func ShapeOf(x [][]float64, cluster []int) (Shape, error) {
	if err := checkLengths(len(x), len(cluster), 0); err != nil {
		return Shape{}, err
	}
	for i, row := range x {
		if len(row) != len(x[0]) {
			return Shape{}, fmt.Errorf("row %d has %d columns, row 1 has %d: %w", i+1, len(row), len(x[0]), ErrValue)
		}
		for j, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return Shape{}, fmt.Errorf("row %d, column %d is %v: %w", i+1, j+1, v, ErrValue)
			}
		}
	}
	code, k := numbered(cluster)
	if k < 2 || k >= len(x) {
		return Shape{}, fmt.Errorf("%d clusters of %d rows: %w", k, len(x), ErrOneClass)
	}
	n, p := float64(len(x)), len(x[0])
	size, center, grand := make([]float64, k), make([][]float64, k), make([]float64, p)
	for c := range center {
		center[c] = make([]float64, p)
	}
	for i, row := range x {
		size[code[i]]++
		for j, v := range row {
			center[code[i]][j] += v
			grand[j] += v / n
		}
	}
	for c := range center {
		for j := range center[c] {
			center[c][j] /= size[c]
		}
	}
	var s Shape
	spread := make([]float64, k)
	sums := make([]float64, k)
	for i, row := range x {
		d := distance(row, center[code[i]])
		s.Inertia += d * d
		spread[code[i]] += d / size[code[i]]
		clear(sums)
		for o, other := range x {
			sums[code[o]] += distance(row, other)
		}
		own := code[i]
		if size[own] == 1 {
			continue
		}
		a, b := sums[own]/(size[own]-1), math.Inf(1)
		for c := range sums {
			if c != own {
				b = math.Min(b, sums[c]/size[c])
			}
		}
		if larger := math.Max(a, b); larger > 0 {
			s.Silhouette += (b - a) / larger / n
		}
	}
	between := 0.0
	for c := range center {
		d := distance(center[c], grand)
		between += size[c] * d * d
		worst := 0.0
		for o := range center {
			if o == c {
				continue
			}
			apart := distance(center[c], center[o])
			if apart == 0 {
				return Shape{}, fmt.Errorf("two clusters have one center: %w", ErrConstant)
			}
			worst = math.Max(worst, (spread[c]+spread[o])/apart)
		}
		s.DaviesBouldin += worst / float64(k)
	}
	s.CalinskiHarabasz = 1 // scikit-learn's answer if no row leaves its center
	if s.Inertia > 0 {
		s.CalinskiHarabasz = between / float64(k-1) / (s.Inertia / (n - float64(k)))
	}
	return s, nil
}

func distance(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		d := v - b[i]
		sum += float64(d * d)
	}
	return math.Sqrt(sum)
}

// numbered gives the distinct values the numbers from 0, in rising order.
func numbered(x []int) (code []int, count int) {
	distinct := slices.Compact(slices.Sorted(slices.Values(x)))
	code = make([]int, len(x))
	for i, v := range x {
		code[i], _ = slices.BinarySearch(distinct, v)
	}
	return code, len(distinct)
}
