package bundle

import (
	"fmt"
	"math"
	"slices"

	"github.com/tandem-ml/tandem/data"
)

// maxReasons is the largest number of reasons an answer may carry.
const maxReasons = 100

// check makes sure that the parts agree, and returns the model ready to score.
func (b *Bundle) check() (*Model, error) {
	if err := b.Manifest.check(); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	m := &b.Model
	if m.c == nil {
		var err error
		if m, err = NewModel(b.Model); err != nil {
			return nil, err
		}
	}
	if want := m.Calibration.task(); b.Manifest.Task != want {
		return nil, fmt.Errorf("the manifest's task is %q, the calibration %q belongs to %q", b.Manifest.Task, m.Calibration.Method, want)
	}
	if b.Manifest.Task == Binary && m.Decision.Positive == "" {
		return nil, fmt.Errorf("decision: a binary task needs its two labels")
	}
	if t := m.Contract.Target(); t != nil && t.Name != b.Manifest.Target {
		return nil, fmt.Errorf("the manifest's target is %q, the contract's %q", b.Manifest.Target, t.Name)
	}
	infos := make([]MemberInfo, len(m.Members))
	for i := range infos {
		infos[i] = MemberInfo{m.Members[i].Learner, m.Members[i].Weight, m.Members[i].Output}
	}
	if !slices.Equal(infos, b.Manifest.Members) {
		return nil, fmt.Errorf("the manifest's members %v are not the model's %v", b.Manifest.Members, infos)
	}
	if err := m.checkTests(b.Tests); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Manifest) check() error {
	switch {
	case m.Format != FormatVersion:
		return fmt.Errorf("format %d is not %d", m.Format, FormatVersion)
	case m.Task != Binary && m.Task != Regression && m.Task != Multiclass:
		return fmt.Errorf("unknown task %q", m.Task)
	case m.Reasons < 0 || m.Reasons > maxReasons:
		return fmt.Errorf("%d reasons; from 0 to %d are possible", m.Reasons, maxReasons)
	}
	return nil
}

// checkTests scores the test rows and compares bits.
func (m *Model) checkTests(tests []TestRow) error {
	if len(tests) == 0 {
		return fmt.Errorf("the bundle has no test rows, so nothing shows that it scores as in training")
	}
	cols := m.Layout().Cols()
	for i, t := range tests {
		if len(t.Row) != cols {
			return fmt.Errorf("test row %d has %d values, the contract has %d inputs", i, len(t.Row), cols)
		}
		margin, score := m.Score(t.Row)
		if math.IsNaN(margin) || math.IsNaN(score) {
			return fmt.Errorf("test row %d scores as NaN", i)
		}
		if math.Float64bits(margin) != math.Float64bits(t.Margin) || math.Float64bits(score) != math.Float64bits(t.Score) {
			return data.WithHint(
				fmt.Errorf("test row %d scores as %v (margin %v) where the bundle says %v (margin %v)", i, score, margin, t.Score, t.Margin),
				"the file was changed by another program, or this program scores differently from the one that made it, which would be a bug: please report it")
		}
	}
	return nil
}
