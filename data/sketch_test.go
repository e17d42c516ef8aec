package data_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
)

// streams are orders and shapes that break naive sketches.
func streams(n int) map[string][]float64 {
	rng := seed.Stream(1, "sketch test", 0)
	out := map[string][]float64{}
	fill := func(name string, f func(i int) float64) {
		v := make([]float64, n)
		for i := range v {
			v[i] = f(i)
		}
		out[name] = v
	}
	fill("sorted", func(i int) float64 { return float64(i) })
	fill("reversed", func(i int) float64 { return float64(n - i) })
	fill("random", func(int) float64 { return rng.Float64() })
	fill("normal", func(int) float64 { return rng.NormFloat64() })
	fill("constant", func(int) float64 { return 42 })
	fill("heavy tail", func(int) float64 { return math.Pow(rng.Float64(), -3) })
	fill("few values", func(int) float64 { return float64(rng.IntN(7)) })
	fill("two sorted runs", func(i int) float64 { return float64(i % (n / 2)) })
	fill("zigzag", func(i int) float64 {
		if i%2 == 0 {
			return float64(i)
		}
		return float64(-i)
	})
	fill("period of 4", func(i int) float64 { return float64(i%4)*1e6 + float64(i) })
	fill("most are zero", func(int) float64 { return math.Max(0, rng.NormFloat64()-2) })
	return out
}

func add(values []float64) *data.Sketch {
	s := &data.Sketch{}
	for _, x := range values {
		s.Add(x)
	}
	return s
}

// worstRank returns the largest |CDF(x) - exact CDF(x)| over 400 of the values
// and the largest distance of a quantile's exact rank interval from q.
func worstRank(s *data.Sketch, sorted []float64) float64 {
	n := float64(len(sorted))
	rank := func(x float64) (below, atMost float64) {
		i, _ := slices.BinarySearch(sorted, x)
		j, _ := slices.BinarySearch(sorted, math.Nextafter(x, math.Inf(1)))
		return float64(i) / n, float64(j) / n
	}
	worst := 0.0
	for i := range 401 {
		q := float64(i) / 400
		x := sorted[int(q*(n-1))]
		_, exact := rank(x)
		worst = max(worst, math.Abs(s.CDF(x)-exact))
		below, atMost := rank(s.Quantile(q))
		worst = max(worst, below-q, q-atMost)
	}
	return worst
}

func TestSketchRankErrorIsUnderOnePercent(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5_000, 100_000, 1_000_000} {
		if testing.Short() && n > 100_000 {
			continue
		}
		for name, values := range streams(n) {
			s := add(values)
			sorted := slices.Clone(values)
			slices.Sort(sorted)
			if worst := worstRank(s, sorted); worst > 0.01 {
				t.Errorf("%s, n=%d: rank error %.4f, want at most 0.01", name, n, worst)
			}
			if s.N() != int64(n) {
				t.Errorf("%s: N = %d, want %d", name, s.N(), n)
			}
			if s.Quantile(0) != sorted[0] || s.Quantile(1) != sorted[n-1] {
				t.Errorf("%s: extremes %v, %v, want %v, %v", name, s.Quantile(0), s.Quantile(1), sorted[0], sorted[n-1])
			}
			if b, _ := json.Marshal(s); len(b) > 16<<10 {
				t.Errorf("%s, n=%d: %d bytes written, want at most 16 KB", name, n, len(b))
			}
		}
	}
}

func TestSketchMergedRankErrorIsUnderOnePercent(t *testing.T) {
	t.Parallel()
	for name, values := range streams(200_000) {
		merged := &data.Sketch{}
		for chunk := range slices.Chunk(values, 997) {
			merged.Merge(add(chunk))
		}
		sorted := slices.Clone(values)
		slices.Sort(sorted)
		if worst := worstRank(merged, sorted); worst > 0.01 || merged.N() != 200_000 {
			t.Errorf("%s: rank error %.4f with N = %d, want at most 0.01 and 200000", name, worst, merged.N())
		}
	}
}

// Up to 1024 values the sketch agrees with NumPy's default quantile, which is
// computed here on the sorted values.
func TestSketchIsExactWhenSmall(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{1, 2, 3, 10, 999, 1024} {
		values := make([]float64, n)
		for i := range values {
			values[i] = math.Round(rng.NormFloat64()*50) / 10
		}
		s := add(values)
		slices.Sort(values)
		for i := range 101 {
			q := float64(i) / 100
			h := q * float64(n-1)
			lo, hi := values[int(math.Floor(h))], values[int(math.Ceil(h))]
			want := lo + (h-math.Floor(h))*(hi-lo)
			if got := s.Quantile(q); math.Abs(got-want) > 1e-12 {
				t.Fatalf("n=%d: Quantile(%v) = %v, want %v", n, q, got, want)
			}
		}
		for _, x := range values {
			j, _ := slices.BinarySearch(values, math.Nextafter(x, math.Inf(1)))
			if got, want := s.CDF(x), float64(j)/float64(n); got != want {
				t.Fatalf("n=%d: CDF(%v) = %v, want %v", n, x, got, want)
			}
		}
	}
}

func TestSketchBoundaries(t *testing.T) {
	t.Parallel()
	empty := &data.Sketch{}
	if !math.IsNaN(empty.Quantile(0.5)) || !math.IsNaN(empty.CDF(0)) || empty.N() != 0 {
		t.Errorf("empty: Quantile %v, CDF %v, N %d, want NaN, NaN, 0", empty.Quantile(0.5), empty.CDF(0), empty.N())
	}
	s := add([]float64{math.NaN(), math.Inf(1), math.Inf(-1)})
	if s.N() != 0 {
		t.Errorf("NaN and infinities: N = %d, want 0", s.N())
	}
	s = add([]float64{-math.MaxFloat64, math.MaxFloat64})
	if got := s.Quantile(0.5); got != 0 {
		t.Errorf("middle of the largest numbers = %v, want 0", got)
	}
	for _, q := range []float64{-0.1, 1.1, math.NaN()} {
		if got := s.Quantile(q); !math.IsNaN(got) {
			t.Errorf("Quantile(%v) = %v, want NaN", q, got)
		}
	}
}

func TestSketchRoundTripIsExact(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1024, 1025, 50_000} {
		values := streams(50_000)["heavy tail"][:n]
		s := add(values)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var back data.Sketch
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatalf("n=%d: %v", n, err)
		}
		// Equal now, and equal after the same further values.
		for _, x := range streams(5_000)["normal"] {
			s.Add(x)
			back.Add(x)
		}
		want, _ := json.Marshal(s)
		got, _ := json.Marshal(&back)
		if string(got) != string(want) {
			t.Errorf("n=%d: the sketch that was read goes another way", n)
		}
	}
}

func TestSketchRefusesDamage(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		`{"n":2,"min":0,"max":1,"levels":[1],"values":"AAAAAAAAAAA="}`,             // one value of weight 1 is not two
		`{"n":1,"min":1,"max":1,"levels":[1],"values":"AAAAAAAAAAA="}`,             // 0 is outside [1, 1]
		`{"n":1,"min":0,"max":0,"levels":[1],"values":"AAAA"}`,                     // half a value
		`{"n":1,"min":0,"max":0,"levels":[-1],"values":"AAAAAAAAAAA="}`,            // negative size
		`{"n":1,"min":0,"max":0,"levels":[1000000000],"values":"AAAAAAAAAAA="}`,    // more than there is
		`{"n":1,"min":0,"max":0,"levels":[1],"values":"AAAAAAAA+H8="}`,             // NaN
		`{"n":1,"min":0,"max":0,"levels":[1],"values":"AAAAAAAAAAAAAAAAAAAAAA=="}`, // one value too many
		`[]`,
	} {
		var s data.Sketch
		if err := json.Unmarshal([]byte(in), &s); err == nil {
			t.Errorf("%s was read", in)
		}
	}
}

func FuzzSketchJSON(f *testing.F) {
	for _, n := range []int{0, 3, 2000} {
		b, _ := json.Marshal(add(streams(2000)["normal"][:n]))
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var s data.Sketch
		if json.Unmarshal(in, &s) != nil {
			return
		}
		s.Add(1)
		s.Quantile(0.5)
		s.CDF(0)
	})
}

func ExampleSketch() {
	var s data.Sketch
	for i := range 1001 {
		s.Add(float64(i))
	}
	fmt.Println(s.N(), s.Quantile(0.5), s.Quantile(0.9), s.CDF(250))
	// Output: 1001 500 900 0.25074925074925075
}
