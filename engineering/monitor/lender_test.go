package monitor_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/monitor"
)

// column is a column of a simulated table: how it is encoded and drawn.
type column struct {
	field data.Field
	draw  func(*rand.Rand) float64 // an encoded value
}

func number(name string, draw func(*rand.Rand) float64) column {
	return column{data.Field{Name: name, Kind: data.Number, Role: data.Feature}, draw}
}

// category has as many values as weights; more weights than names are unseen.
func category(name string, names int, weights ...float64) column {
	f := data.Field{Name: name, Kind: data.Category, Role: data.Feature}
	for i := range names {
		f.Categories = append(f.Categories, fmt.Sprintf("v%02d", i))
	}
	return column{f, func(r *rand.Rand) float64 {
		sum := 0.0
		for _, w := range weights {
			sum += w
		}
		u := r.Float64() * sum
		for i, w := range weights {
			if u -= w; u < 0 {
				return float64(i)
			}
		}
		return float64(len(weights) - 1)
	}}
}

func missing(share float64, c column) column {
	draw := c.draw
	c.draw = func(r *rand.Rand) float64 {
		if r.Float64() < share {
			return math.NaN()
		}
		return draw(r)
	}
	return c
}

func normal(mean, sd float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return mean + sd*r.NormFloat64() }
}

func logNormal(mean, sd float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 { return math.Round(math.Exp(mean + sd*r.NormFloat64())) }
}

func poisson(mean float64) func(*rand.Rand) float64 {
	return func(r *rand.Rand) float64 {
		n, p, limit := 0.0, r.Float64(), math.Exp(-mean)
		for p > limit {
			p *= r.Float64()
			n++
		}
		return n
	}
}

func uniformScore(r *rand.Rand) float64 { return r.Float64() }

// lender has twenty inputs of all sorts.
func lender() []column {
	cs := []column{
		number("income", logNormal(5, 0.5)), number("loan_amount", logNormal(7, 0.8)), number("age", normal(40, 12)),
		number("rate", normal(0.08, 0.02)), number("n_late", poisson(0.7)), number("n_open", poisson(4)),
		missing(0.1, number("assets", logNormal(8, 1.5))), missing(0.4, number("debt", logNormal(6, 1))),
		number("mostly_zero", func(r *rand.Rand) float64 { return max(0, math.Round(10*r.NormFloat64()-8)) }),
		number("infinite", func(r *rand.Rand) float64 { return 1 / max(0, r.NormFloat64()+3) }),
	}
	for i := range 4 {
		cs = append(cs, number(fmt.Sprint("norm", i), normal(0, 1)))
	}
	thirty := make([]float64, 30)
	for i := range thirty {
		thirty[i] = 1 / float64(i+1)
	}
	return append(cs,
		category("records", 2, 0.8, 0.2), category("home", 5, 0.4, 0.3, 0.15, 0.1, 0.05), category("job", 4, 0.5, 0.3, 0.15, 0.05),
		missing(0.05, category("marital", 3, 0.6, 0.3, 0.1)), category("region", 30, thirty...), category("imbalanced", 2, 0.995, 0.005))
}

// trained makes a bundle whose profile is that of rows drawn from the columns.
func trained(cs []column, rows int, rng *rand.Rand) *bundle.Bundle {
	b := &bundle.Bundle{
		Manifest: bundle.Manifest{Task: bundle.Binary},
		Model:    bundle.Model{Decision: bundle.Decision{Positive: "bad", Negative: "good", Threshold: 0.5}},
		Card:     bundle.Card{Holdout: map[string]bundle.Measure{"auc": {Value: 0.82, Low: 0.78, High: 0.86}}},
	}
	var fields []data.Field
	for _, c := range cs {
		b.Contract.Fields = append(b.Contract.Fields, c.field)
		fields = append(fields, data.Field{Name: c.field.Name, Kind: c.field.Kind})
	}
	p := data.NewProfiler(fields)
	scores := data.NewProfiler([]data.Field{{Name: "score", Kind: data.Number}})
	for range rows {
		for j, c := range cs {
			x := c.draw(rng)
			switch {
			case math.IsNaN(x):
				p.AddMissing(j)
			case c.field.Kind == data.Category:
				p.AddCategory(j, c.field.Categories[int(x)])
			case c.field.Kind == data.Time:
				p.AddTime(j, int64(x))
			default:
				p.AddNumber(j, x)
			}
		}
		scores.AddNumber(0, uniformScore(rng))
	}
	b.Profile = p.Profile()
	b.Scores = scores.Profile().Columns[0]
	return b
}

func watch(t testing.TB, b *bundle.Bundle, opt monitor.Options) *monitor.Monitor {
	t.Helper()
	m, err := monitor.New(b, opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// observe adds n decisions drawn from the columns and returns the last report.
func observe(m *monitor.Monitor, cs []column, n int, rng *rand.Rand) *monitor.Report {
	var last *monitor.Report
	row := make([]float64, len(cs))
	for range n {
		for j, c := range cs {
			row[j] = c.draw(rng)
		}
		if r := m.Observe(start, row, uniformScore(rng)); r != nil {
			last = r
		}
	}
	return last
}
