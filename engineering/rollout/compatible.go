package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

// Compatible returns an error that lists what would break for callers if next
// took the place of now:
//
//   - the answers are of another kind ([SameAnswers]);
//   - a column that they may send is unknown, or must be of another type;
//   - a column must come that could be left out.
//
// Bounds and categories may differ: they follow the data.
func Compatible(now, next *bundle.Bundle) error {
	var broken []string
	if err := SameAnswers(now, next); err != nil {
		broken = append(broken, err.Error())
	}
	for _, f := range now.Contract.Fields {
		if f.Role == data.Target || f.Role == data.Excluded {
			continue // ignored, whether it comes or not
		}
		switch g := next.Contract.Field(f.Name); {
		case g == nil && f.Required:
			broken = append(broken, fmt.Sprintf("the required column %q is gone", f.Name))
		case g == nil:
			broken = append(broken, fmt.Sprintf("column %q is gone", f.Name))
		case g.Role != data.Excluded && g.Role != data.Target && g.Kind != f.Kind:
			broken = append(broken, fmt.Sprintf("column %q was %s and is %s", f.Name, f.Kind, g.Kind))
		}
	}
	for _, g := range next.Contract.Fields {
		if f := now.Contract.Field(g.Name); g.Required && g.Role == data.Feature && (f == nil || f.Role != data.Feature || !f.Required) {
			broken = append(broken, fmt.Sprintf("column %q is required and was not", g.Name))
		}
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("callers would break: %s", strings.Join(broken, "; "))
}

// SameAnswers returns an error if the answers of two models cannot stand for
// each other: they differ in task, labels or classes.
func SameAnswers(now, next *bundle.Bundle) error {
	a, b := &now.Decision, &next.Decision
	switch {
	case now.Manifest.Task != next.Manifest.Task:
		return fmt.Errorf("the task was %s and is %s", now.Manifest.Task, next.Manifest.Task)
	case a.Positive != b.Positive || a.Negative != b.Negative || !slices.Equal(a.Classes, b.Classes):
		return fmt.Errorf("the decisions have other names")
	}
	return nil
}

// Warm lets a model answer its own proof rows, in each way in which it will be
// asked, so that no caller pays for what is made or paged in at first use. An
// error is a model that should not answer: what it says of these rows together is
// not what it says of each, which [bundle.Open] has found to be what was proven.
func Warm(b *bundle.Bundle) error {
	cols := b.Layout().Cols()
	rows := bundle.Rows{N: len(b.Tests), Cols: cols, Data: make([]float64, 0, len(b.Tests)*cols)}
	for i := range b.Tests {
		rows.Data = append(rows.Data, b.Tests[i].Row...)
	}
	if rows.N == 0 {
		return nil
	}
	for i, together := range b.Answers(rows) {
		alone := b.Answer(rows.Row(i))
		if !sameBits(alone.Score, together.Score) || alone.Decision != together.Decision {
			return fmt.Errorf("proof row %d scores %v alone and %v among others", i, alone.Score, together.Score)
		}
		if b.Manifest.Reasons > 0 {
			b.Reasons(rows.Row(i), b.Manifest.Reasons, true, b.Manifest.Texts)
		}
	}
	return nil
}
