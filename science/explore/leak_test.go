package explore_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/seed"
	"github.com/tandem-ml/tandem/science/explore"
)

// suspicious are the kinds of alert that ask about leakage.
var suspicious = []string{"leakage", "very_strong", "missing_predicts_target", "after_outcome", "value_tells", "noisy_copy", "target_encoded",
	"judged_before", "time_travel", "group_leakage", "row_order", "identifier_tells", "parts", "text_tells", "split_overlap"}

// world is an honest table: two columns that help, one that does not, and a
// target that follows them with much noise.
type world struct {
	n             int
	rng           *rand.Rand
	y             []bool
	amount        []float64 // for a numeric target
	signal, other []float64
	noise         []float64
	town          []string
	opened        []int64
}

func newWorld(name string, index int) *world {
	w := &world{n: 3000, rng: seed.Stream(11, name, index)}
	for i := range w.n {
		s, o := w.rng.NormFloat64(), w.rng.NormFloat64()
		w.signal, w.other, w.noise = append(w.signal, s), append(w.other, o), append(w.noise, w.rng.NormFloat64())
		w.y = append(w.y, w.rng.Float64() < 1/(1+math.Exp(1-s-0.5*o)))
		w.amount = append(w.amount, 100+20*s+10*o+20*w.rng.NormFloat64())
		w.town = append(w.town, []string{"Ulm", "Bonn", "Kiel", "Trier"}[w.rng.IntN(4)])
		w.opened = append(w.opened, int64(i)*3600e6+1.6e15)
	}
	return w
}

func (w *world) numbers(f func(i int) float64) *data.Column { return number("x", fill(w.n, f)...) }
func (w *world) words(f func(i int) string) *data.Column    { return category("x", fill(w.n, f)...) }
func (w *world) texts(f func(i int) string) *data.Column {
	return &data.Column{Name: "x", Kind: data.Text, Texts: fill(w.n, f)}
}
func (w *world) times(name string, f func(i int) int64) *data.Column {
	return &data.Column{Name: name, Kind: data.Time, Times: fill(w.n, f)}
}
func (w *world) class(i int) float64 {
	if w.y[i] {
		return 1
	}
	return 0
}

// flip is the class, wrong with probability p.
func (w *world) flip(i int, p float64) bool { return w.y[i] != (w.rng.Float64() < p) }

// chance is the honest probability of the positive class.
func (w *world) chance(i int) float64 { return 1 / (1 + math.Exp(1-w.signal[i]-0.5*w.other[i])) }

// table is the honest table with more columns.
func (w *world) table(t testing.TB, regression bool, more ...*data.Column) *data.Table {
	cols := append([]*data.Column{number("signal", w.signal...), number("other", w.other...), number("noise", w.noise...), category("town", w.town...)}, more...)
	if regression {
		return table(t, append(cols, number("y", w.amount...))...)
	}
	return table(t, append(cols, category("y", fill(w.n, func(i int) string {
		if w.y[i] {
			return "bad"
		}
		return "good"
	})...))...)
}

type plant struct {
	name       string
	regression bool
	plant      func(w *world) []*data.Column
	roles      data.Roles
	missed     bool // known not to be found
}

func one(c *data.Column) []*data.Column { return []*data.Column{c} }

var nan = math.NaN()

// planted leaks: what people have met, each in a table of 3,000 rows that is
// honest otherwise.
var plants = []plant{
	{name: "the target as a number", plant: func(w *world) []*data.Column { return one(w.numbers(w.class)) }},
	{name: "the target in other words", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return map[bool]string{true: "charged off", false: "paid"}[w.y[i]] }))
	}},
	{name: "the target in one of many codes", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return fmt.Sprintf("%c%02d", "AB"[int(w.class(i))], w.rng.IntN(40)) }))
	}},
	{name: "a copy with 3% errors", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return fmt.Sprint(w.flip(i, 0.03)) }))
	}},
	{name: "a copy with 8% errors", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return map[bool]float64{true: 1, false: 2}[w.flip(i, 0.08)] }))
	}},
	{name: "a copy behind noise", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return 3*w.class(i) + w.rng.NormFloat64() }))
	}},
	{name: "recorded for one class only", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 {
			if w.y[i] {
				return w.rng.Float64() * 100
			}
			return nan
		}))
	}},
	{name: "recorded for half of one class", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string {
			if w.y[i] && w.rng.IntN(2) == 0 {
				return []string{"court", "agency"}[w.rng.IntN(2)]
			}
			return ""
		}))
	}},
	{name: "no longer recorded for one class", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 {
			if w.y[i] && w.rng.IntN(3) > 0 {
				return nan
			}
			return w.rng.NormFloat64()
		}))
	}},
	{name: "0 but for one class", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 {
			if w.y[i] && w.rng.IntN(5) < 3 {
				return math.Round(w.rng.Float64() * 5000)
			}
			return 0
		}))
	}},
	{name: "a date of closing", plant: func(w *world) []*data.Column {
		return one(w.times("x", func(i int) int64 {
			if w.y[i] && w.rng.IntN(10) < 9 {
				return w.opened[i] + w.rng.Int64N(90*86400e6)
			}
			return data.MissingTime
		}))
	}},
	{name: "a state of which some follow the outcome", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string {
			if w.y[i] && w.rng.IntN(10) < 6 {
				return "written off"
			}
			return []string{"current", "new", "moved"}[w.rng.IntN(3)]
		}))
	}},
	{name: "a last payment later than the row", roles: data.Roles{Time: "opened"}, plant: func(w *world) []*data.Column {
		return []*data.Column{w.times("opened", func(i int) int64 { return w.opened[i] }),
			w.times("x", func(i int) int64 {
				return w.opened[i] + 86400e6 + int64(w.rng.Float64()*200*86400e6*(1.1-w.class(i)*0.9))
			})}
	}},
	{name: "a time between that tells", plant: func(w *world) []*data.Column {
		return []*data.Column{w.times("opened", func(i int) int64 { return w.opened[i] }),
			w.times("x", func(i int) int64 {
				return w.opened[i] + 3600e6 + int64(w.rng.ExpFloat64()*30*86400e6*(1+2*w.class(i)))
			})}
	}},
	{name: "several rows of one customer", plant: func(w *world) []*data.Column {
		person := fill(w.n, func(int) int { return w.rng.IntN(700) })
		bad := map[int]bool{}
		for i, p := range person {
			if _, seen := bad[p]; !seen {
				bad[p] = w.y[i]
			}
			w.y[i] = bad[p]
		}
		return one(w.words(func(i int) string { return fmt.Sprintf("K%04d", person[i]) }))
	}},
	{name: "several rows of one numbered machine", plant: func(w *world) []*data.Column {
		machine := fill(w.n, func(int) int { return w.rng.IntN(500) })
		bad := map[int]bool{}
		for i, p := range machine {
			if _, seen := bad[p]; !seen {
				bad[p] = w.y[i]
			}
			if w.rng.IntN(20) > 0 {
				w.y[i] = bad[p]
			}
		}
		return one(w.numbers(func(i int) float64 { return float64(10_000 + machine[i]*7919%100_000) }))
	}},
	{name: "rows sorted by class", plant: func(w *world) []*data.Column {
		order := fill(w.n, func(i int) int { return i })
		slices.SortStableFunc(order, func(a, b int) int { return int(w.class(a) - w.class(b)) })
		pick := func(v []float64) []float64 { return fill(w.n, func(i int) float64 { return v[order[i]] }) }
		w.signal, w.other, w.noise = pick(w.signal), pick(w.other), pick(w.noise)
		slices.SortFunc(w.y, func(a, b bool) int { return map[bool]int{true: 1}[a] - map[bool]int{true: 1}[b] })
		return nil
	}},
	{name: "two files, one after the other", plant: func(w *world) []*data.Column {
		for i := range w.y {
			if i > w.n/2 && w.rng.IntN(2) == 0 {
				w.y[i] = true
			}
		}
		return nil
	}},
	{name: "rows in runs of one event", plant: func(w *world) []*data.Column {
		for i := range w.y {
			if i%6 > 0 {
				w.y[i] = w.y[i-1]
			}
		}
		return nil
	}},
	{name: "numbers given out by outcome", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return float64(i*37%w.n*2) + 1801*w.class(i) }))
	}},
	{name: "identifiers that begin by outcome", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string {
			return fmt.Sprintf("%s-%05d", map[bool]string{true: "REJ", false: "APP"}[w.flip(i, 0.06)], i)
		}))
	}},
	{name: "an encoding of the target", plant: func(w *world) []*data.Column {
		group := fill(w.n, func(i int) int { return int(math.Floor((w.signal[i] + 0.3*w.rng.NormFloat64()) * 4)) })
		sum, n := map[int]float64{}, map[int]float64{}
		for i, g := range group {
			sum[g] += w.class(i)
			n[g]++
		}
		return one(w.numbers(func(i int) float64 { return sum[group[i]] / n[group[i]] }))
	}},
	{name: "another model's probability", plant: func(w *world) []*data.Column { return one(w.numbers(w.chance)) }},
	{name: "a grade of the lender", plant: func(w *world) []*data.Column {
		c := w.words(func(i int) string { return string("ABCDEFG"[min(int(w.chance(i)*9), 6)]) })
		c.Name = "risk_grade"
		return one(c)
	}},
	{name: "a price by grade", plant: func(w *world) []*data.Column {
		c := w.numbers(func(i int) float64 { return 4 + math.Round(20*w.chance(i)) + 0.1*w.rng.NormFloat64() })
		c.Name = "interest_rate"
		return one(c)
	}},
	{name: "a note written afterwards", plant: func(w *world) []*data.Column {
		return one(w.texts(func(i int) string {
			s := fmt.Sprintf("customer number %d called about the loan in %s and asked for a new plan", w.rng.IntN(1e6), w.town[i])
			if w.y[i] && w.rng.IntN(2) == 0 {
				s += " since the account was charged off"
			}
			return s
		}))
	}},
	{name: "the next row's outcome", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return w.class(min(i+1, w.n-1)) }))
	}},
	{name: "the difference of two", plant: func(w *world) []*data.Column {
		due := fill(w.n, func(int) float64 { return 1000 + 300*w.rng.NormFloat64() })
		paid := w.numbers(func(i int) float64 { return due[i] - 80*w.class(i) + 5*w.rng.Float64() })
		return []*data.Column{number("due", due...), paid}
	}},
	{name: "two columns that only together tell", plant: func(w *world) []*data.Column {
		a := fill(w.n, func(int) int { return w.rng.IntN(2) })
		return []*data.Column{number("a", fill(w.n, func(i int) float64 { return float64(a[i]) })...),
			w.numbers(func(i int) float64 { return float64(a[i] ^ int(w.class(i))) })}
	}},
	{name: "rows in both parts", plant: func(w *world) []*data.Column {
		for i := 2500; i < w.n; i++ {
			w.signal[i], w.other[i], w.noise[i], w.town[i], w.y[i] = w.signal[i-2500], w.other[i-2500], w.noise[i-2500], w.town[i-2500], w.y[i-2500]
		}
		return one(w.words(func(i int) string {
			if i >= 2400 {
				return "test"
			}
			return "train"
		}))
	}},
	{name: "number: a copy in another unit", regression: true, plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return w.amount[i]*1.19 + 0.5*w.rng.NormFloat64() }))
	}},
	{name: "number: the rank of the target", regression: true, plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return math.Exp(-w.amount[i] / 50) }))
	}},
	{name: "number: two parts of the sum", regression: true, plant: func(w *world) []*data.Column {
		a := fill(w.n, func(i int) float64 { return 40 * w.rng.NormFloat64() })
		return []*data.Column{number("a", a...), w.numbers(func(i int) float64 { return w.amount[i] - a[i] })}
	}},
	{name: "number: rows of one house", regression: true, plant: func(w *world) []*data.Column {
		house := fill(w.n, func(int) int { return w.rng.IntN(600) })
		price := map[int]float64{}
		for i, h := range house {
			if _, seen := price[h]; !seen {
				price[h] = w.amount[i]
			}
			w.amount[i] = price[h] + 3*w.rng.NormFloat64()
		}
		return one(w.words(func(i int) string { return fmt.Sprintf("house %d", house[i]) }))
	}},
	// What no check finds.
	{name: "missed: a copy with a quarter of errors", missed: true, plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return fmt.Sprint(w.flip(i, 0.25)) }))
	}},
	{name: "missed: three columns that only together tell", missed: true, plant: func(w *world) []*data.Column {
		a, b := fill(w.n, func(int) int { return w.rng.IntN(2) }), fill(w.n, func(int) int { return w.rng.IntN(2) })
		return []*data.Column{number("a", fill(w.n, func(i int) float64 { return float64(a[i]) })...), number("b", fill(w.n, func(i int) float64 { return float64(b[i]) })...),
			w.numbers(func(i int) float64 { return float64(a[i] ^ b[i] ^ int(w.class(i))) })}
	}},
	{name: "missed: a ratio that tells", missed: true, plant: func(w *world) []*data.Column {
		size := fill(w.n, func(int) float64 { return math.Exp(3 * w.rng.NormFloat64()) })
		return []*data.Column{number("size", size...), w.numbers(func(i int) float64 { return size[i] * (1 + 0.1*w.class(i) + 0.02*w.rng.Float64()) })}
	}},
	{name: "missed: an opinion under a neutral name", missed: true, plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return string("ABCDEFG"[min(int(w.chance(i)*9), 6)]) }))
	}},
	{name: "missed: the outcome of a tenth of the rows", missed: true, plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string {
			if i%10 == 0 {
				return map[bool]string{true: "late", false: "fine"}[w.y[i]]
			}
			return "unknown"
		}))
	}},
}

// clean tables hold what looks like leakage and is none.
var clean = []plant{
	{name: "nothing more", plant: func(w *world) []*data.Column { return nil }},
	{name: "number: nothing more", regression: true, plant: func(w *world) []*data.Column { return nil }},
	{name: "a strong honest column", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return w.chance(i)*50 + 18 + w.rng.NormFloat64()*3 }))
	}},
	{name: "a flag that helps", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return fmt.Sprint(w.flip(i, 0.3)) }))
	}},
	{name: "missing at random", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 {
			if w.rng.IntN(3) == 0 {
				return nan
			}
			return w.rng.NormFloat64()
		}))
	}},
	{name: "missing where another is low", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 {
			if w.noise[i] < -0.5 {
				return nan
			}
			return w.rng.NormFloat64()
		}))
	}},
	{name: "mostly 0", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 {
			if w.rng.IntN(4) > 0 {
				return 0
			}
			return math.Round(w.rng.ExpFloat64() * 100)
		}))
	}},
	{name: "a rare value", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string {
			if w.rng.IntN(100) == 0 {
				return "rare"
			}
			return []string{"a", "b"}[w.rng.IntN(2)]
		}))
	}},
	{name: "an honest identifier", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return float64(100_000 + i*13) }))
	}},
	{name: "identifiers with letters", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return fmt.Sprintf("%c%05d", 'A'+rune(i%5), i) }))
	}},
	{name: "customers with several rows", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return fmt.Sprintf("K%04d", w.rng.IntN(800)) }))
	}},
	{name: "towns by the hundred", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return fmt.Sprintf("town %d", w.rng.IntN(300)) }))
	}},
	{name: "a due date", plant: func(w *world) []*data.Column {
		return []*data.Column{w.times("opened", func(i int) int64 { return w.opened[i] }), w.times("due", func(i int) int64 { return w.opened[i] + 30*86400e6 })}
	}},
	{name: "a date before", roles: data.Roles{Time: "opened"}, plant: func(w *world) []*data.Column {
		return []*data.Column{w.times("opened", func(i int) int64 { return w.opened[i] }), w.times("born", func(i int) int64 { return w.opened[i] - w.rng.Int64N(60*365*86400e6) })}
	}},
	{name: "a share that is not the target's", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return w.rng.Float64() }))
	}},
	{name: "a helpful share", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return 1 / (1 + math.Exp(w.signal[i]+w.rng.NormFloat64())) }))
	}},
	{name: "a rate that is no opinion", plant: func(w *world) []*data.Column {
		c := w.numbers(func(i int) float64 { return 3 + w.rng.Float64() })
		c.Name = "tax_rate"
		return one(c)
	}},
	{name: "notes", plant: func(w *world) []*data.Column {
		words := strings.Fields("paid late early called wrote asked happy angry moved married house car loan plan")
		return one(w.texts(func(i int) string {
			s := fmt.Sprint("note ", i, ":")
			for range 12 {
				s += " " + words[w.rng.IntN(len(words))]
			}
			return s
		}))
	}},
	{name: "last month's figure", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return w.signal[i] + 0.5*w.rng.NormFloat64() }))
	}},
	{name: "a season", plant: func(w *world) []*data.Column {
		return one(w.times("x", func(i int) int64 { return w.opened[i] }))
	}},
	{name: "a split without overlap", plant: func(w *world) []*data.Column {
		return one(w.words(func(i int) string { return []string{"train", "train", "test"}[i%3] }))
	}},
	{name: "an honest interaction", plant: func(w *world) []*data.Column {
		a := fill(w.n, func(int) float64 { return w.rng.NormFloat64() })
		for i := range w.y {
			w.y[i] = w.rng.Float64() < 1/(1+math.Exp(1-2*w.signal[i]*a[i]))
		}
		return one(w.numbers(func(i int) float64 { return a[i] }))
	}},
	{name: "a sum of columns, not of the target", plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return w.signal[i] + w.noise[i] }))
	}},
	{name: "number: an honest strong column", regression: true, plant: func(w *world) []*data.Column {
		return one(w.numbers(func(i int) float64 { return w.amount[i] + 15*w.rng.NormFloat64() }))
	}},
	{name: "number: parts of something else", regression: true, plant: func(w *world) []*data.Column {
		a := fill(w.n, func(i int) float64 { return 40 * w.rng.NormFloat64() })
		return []*data.Column{number("a", a...), w.numbers(func(i int) float64 { return w.signal[i] - a[i] })}
	}},
	{name: "a few rows twice", plant: func(w *world) []*data.Column {
		for i := range 5 {
			w.signal[i+10], w.other[i+10], w.noise[i+10], w.town[i+10], w.y[i+10] = w.signal[i], w.other[i], w.noise[i], w.town[i], w.y[i]
		}
		return nil
	}},
	{name: "a rare target", plant: func(w *world) []*data.Column {
		for i := range w.y {
			w.y[i] = w.rng.Float64() < 0.02+0.04*w.chance(i)
		}
		return one(w.numbers(func(i int) float64 {
			if w.rng.IntN(2) == 0 {
				return nan
			}
			return w.rng.NormFloat64()
		}))
	}},
}

// suspected builds the page of a planted table and returns the questions of
// leakage that it raises.
func (c plant) suspected(t *testing.T, index int) []string {
	t.Helper()
	w := newWorld("leaks", index)
	more := c.plant(w)
	tab := w.table(t, c.regression, more...)
	opt := explore.Options{Target: "y", Positive: "bad"}
	if c.regression {
		opt.Positive = ""
	}
	var contract *data.Contract
	if c.roles.Time != "" {
		c.roles.Target = "y"
		profile := data.NewProfile(tab)
		learned, err := data.Learn(tab, &profile, c.roles)
		if err != nil {
			t.Fatal(err)
		}
		contract = &learned
	}
	p, err := explore.Build(tab, nil, contract, opt)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, a := range p.Alerts {
		if slices.Contains(suspicious, a.Kind) {
			out = append(out, a.Kind+" "+a.Column)
		}
	}
	return out
}

// TestPlantedLeaks: every planted leak is found but for those known to be
// missed, which are told; were one of them found, the list is to be mended.
func TestPlantedLeaks(t *testing.T) {
	t.Parallel()
	found, missed := 0, []string{}
	for i, c := range plants {
		got := c.suspected(t, i)
		switch {
		case len(got) == 0 && !c.missed:
			t.Errorf("%s: not found", c.name)
		case len(got) > 0 && c.missed:
			t.Errorf("%s: is found after all: %v", c.name, got)
		case len(got) > 0:
			found++
		}
		if len(got) == 0 {
			missed = append(missed, strings.TrimPrefix(c.name, "missed: "))
		}
	}
	t.Logf("%d of %d planted leaks found; missed: %s", found, len(plants), strings.Join(missed, "; "))
}

func TestCleanTablesRaiseNoQuestion(t *testing.T) {
	t.Parallel()
	for i, c := range clean {
		if got := c.suspected(t, 100+i); len(got) > 0 {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	t.Logf("%d clean tables", len(clean))
}

// The lender's own model sets the grade from the application, and the rate from
// the grade: both are its opinion of the outcome.
func TestLendingClub(t *testing.T) {
	t.Parallel()
	p := build(t, readCSV(t, filepath.Join("testdata", "lending_club.csv.gz")), explore.Options{Target: "Class"})
	var got []string
	for _, a := range p.Alerts {
		if slices.Contains(suspicious, a.Kind) {
			got = append(got, a.Kind+" "+a.Column)
			if !strings.Contains(a.Evidence, "AUC") || !strings.Contains(a.Evidence, "correlation ratio") || a.Step == "" {
				t.Errorf("%s has little evidence: %s, step %q", a.Column, a.Evidence, a.Step)
			}
		}
	}
	slices.Sort(got)
	if want := []string{"judged_before int_rate", "judged_before sub_grade"}; !slices.Equal(got, want) {
		t.Errorf("questions %v, want %v", got, want)
	}
}
