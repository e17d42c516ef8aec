package web

import (
	"fmt"
	"sort"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/chart"
)

// leaderboardView lists the candidates of the champion's run.
type leaderboardView struct {
	*project
	First, Spread, Second string // headings
	Folds                 int
	Rows                  []candidate
}

// candidate is one row of the leaderboard, as shown.
type candidate struct {
	Place                        int
	Learner, Params              string
	Value, Spread, Behind, Other string
	Chosen                       bool
}

// maxCandidates bounds the page; the bundle's card has all.
const maxCandidates = 200

func (s *site) leaderboard(r *request, p *project) (any, error) {
	r.head.Title = p.Name + " leaderboard"
	v := leaderboardView{project: p}
	b, err := s.champion(p)
	if err != nil || b == nil {
		return v, err
	}
	v.Folds = b.Card.Split.Folds
	v.First, v.Spread, v.Second = "AUC", "SD over folds", "Log loss"
	regression := b.Manifest.Task == bundle.Regression
	if regression {
		v.First, v.Second = "RMSE", "MAE"
	}
	var best *float64
	for i, row := range b.Card.Leaderboard[:min(len(b.Card.Leaderboard), maxCandidates)] {
		c := candidate{Place: i + 1, Learner: row.Learner, Params: settings(row.Params)}
		value, spread, other, text := row.AUC, row.AUCSD, row.LogLoss, chart.Fixed
		if regression {
			value, spread, other, text = row.RMSE, row.RMSESD, row.MAE, chart.Short
		}
		c.Value, c.Spread, c.Other = optional(value, text), optional(spread, text), optional(other, text)
		switch {
		case value == nil:
		case best == nil:
			best = value
		default:
			gap := *value - *best
			if c.Behind = text(gap); gap > 0 {
				c.Behind = "+" + c.Behind
			}
		}
		if row.Learner == b.Card.Chosen {
			c.Chosen = true
			for _, earlier := range v.Rows {
				c.Chosen = c.Chosen && !earlier.Chosen
			}
		}
		v.Rows = append(v.Rows, c)
	}
	return v, nil
}

func optional(v *float64, text func(float64) string) string {
	if v == nil {
		return "–"
	}
	return text(*v)
}

// settings writes a candidate's settings by name: "leaves 15, trees 212".
func settings(p map[string]any) string {
	names := make([]string, 0, len(p))
	for k := range p {
		names = append(names, k)
	}
	sort.Strings(names)
	out := ""
	for i, k := range names {
		if i > 0 {
			out += ", "
		}
		v := p[k]
		if f, ok := v.(float64); ok {
			v = chart.Short(f)
		}
		out += fmt.Sprintf("%s %v", k, v)
	}
	return out
}
