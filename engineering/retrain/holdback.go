package retrain

import (
	"cmp"
	"slices"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

// The share of the decisions that judges, and its least and greatest number. A
// hundred thousand rows know an AUC to a thousandth; more would only cost time.
const (
	judgeShare = 0.3
	judgeLeast = 200
	judgeMost  = 100_000
)

// Parts are decisions with outcomes, divided.
type Parts struct {
	Train []decisions.Entry // what a challenger may learn from, oldest first
	Judge []decisions.Entry // what both are compared on, oldest first
	Young int               // decisions whose outcome is known but that are younger than the maturity
	Other int               // decisions among the newest that another bundle than the champion made: used for nothing
}

// Holdback divides the decisions that have an outcome into those that a
// challenger may be trained on and those that judge it.
//
// A decision counts once it is as old as the maturity at now: outcomes that
// come early are not like the others (who defaults in the first week is not
// who defaults in a year). Of those, in order of time, the newest 30 percent
// judge, but at least 200 and at most 100,000; of decisions of the same moment
// all or none. Only the champion's own decisions judge: it was made before
// them, so it has learned from none of them. All that are older than the first
// that is kept back may be learned from, whoever made them. None of the slices
// shares memory with entries.
func Holdback(entries []decisions.Entry, champion string, now time.Time, maturity time.Duration) Parts {
	var p Parts
	var mature []decisions.Entry
	for _, e := range entries {
		switch {
		case e.Outcome == nil:
		case now.Sub(e.Time) < maturity:
			p.Young++
		default:
			mature = append(mature, e)
		}
	}
	slices.SortFunc(mature, func(a, b decisions.Entry) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID))
	})
	n := min(max(judgeLeast, int(judgeShare*float64(len(mature))+0.5)), judgeMost, len(mature))
	first := len(mature) - n
	for first > 0 && first < len(mature) && mature[first-1].Time.Equal(mature[first].Time) {
		first--
	}
	p.Train = slices.Clone(mature[:first])
	for _, e := range mature[first:] {
		if e.Bundle == champion {
			p.Judge = append(p.Judge, e)
		} else {
			p.Other++
		}
	}
	return p
}
