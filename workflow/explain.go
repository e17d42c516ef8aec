package workflow

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/explain"
)

// Reasons says which reasons are asked for. The zero value stands for the
// contributions as compared with training.
type Reasons struct {
	Background   string // a source of at most bundle.MaxBackground rows to compare with instead; "": none
	Interactions bool   // what pairs of columns do together; not with a background
	Pairs        int    // how many pairs, the strongest; 0: all
}

// explainRows is how many rows are explained between two writes.
const explainRows = 512

// ExplainRows writes one JSON object a line for every row of source, in order:
// {"margin","base","contributions":{column: value}}, or {"error"} for a row
// that cannot be scored. base plus the contributions is the margin. With
// interactions an object is as in [explain.RowPairs].
func ExplainRows(ctx context.Context, b *bundle.Bundle, source string, w io.Writer, how Reasons, opt Options) (rows, failed int, err error) {
	one, err := explainer(ctx, b, how, opt)
	if err != nil {
		return 0, 0, err
	}
	s, err := readFor(ctx, b, source, opt)
	if err != nil {
		return 0, 0, err
	}
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	for from := 0; from < s.rows.N; from += explainRows {
		to := min(from+explainRows, s.rows.N)
		explained, err := one(s.good(from, to))
		if err != nil {
			return 0, 0, err
		}
		for i := from; i < to; i++ {
			if problem := s.bad[i]; problem != nil {
				err = enc.Encode(map[string]string{"error": problem.Error()})
			} else {
				err = enc.Encode(explained[0])
				explained = explained[1:]
			}
			if err != nil {
				return 0, 0, err
			}
		}
	}
	return s.rows.N, len(s.bad), out.Flush()
}

// explainer returns what explains rows in the way that is asked for.
func explainer(ctx context.Context, b *bundle.Bundle, how Reasons, opt Options) (func(rows bundle.Rows) ([]any, error), error) {
	if how.Interactions {
		x, err := b.Interactor()
		if err != nil {
			return nil, err
		}
		return func(rows bundle.Rows) ([]any, error) { return anys(explain.Pairs(ctx, x, rows, how.Pairs)) }, nil
	}
	c, err := contributor(ctx, b, how.Background, opt)
	if err != nil {
		return nil, err
	}
	return func(rows bundle.Rows) ([]any, error) { return anys(explain.Rows(ctx, c, rows)) }, nil
}

func anys[T any](of []T, err error) ([]any, error) {
	out := make([]any, len(of))
	for i, v := range of {
		out[i] = v
	}
	return out, err
}

// contributor returns the model, compared with a background if there is one.
func contributor(ctx context.Context, b *bundle.Bundle, background string, opt Options) (explain.Contributor, error) {
	if background == "" {
		return &b.Model, nil
	}
	s, err := readFor(ctx, b, background, opt)
	if err != nil {
		return nil, err
	}
	if len(s.bad) > 0 {
		return nil, data.WithHint(
			fmt.Errorf("%d rows of the background cannot be scored, so there is no comparing with them; the first is %w", len(s.bad), firstBad(s.bad)),
			"correct or remove them")
	}
	with, err := b.Against(ctx, s.rows)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", background, err)
	}
	return with, nil
}

// good returns the rows from..to-1 that can be scored.
func (s *scored) good(from, to int) bundle.Rows {
	out := bundle.Rows{Cols: s.rows.Cols}
	for i := from; i < to; i++ {
		if s.bad[i] == nil {
			out.Data = append(out.Data, s.rows.Row(i)...)
			out.N++
		}
	}
	return out
}

// readGood is readFor for what is said of all rows together: those that cannot
// be scored are told and left out.
func readGood(ctx context.Context, b *bundle.Bundle, source string, opt Options) (bundle.Rows, error) {
	s, err := readFor(ctx, b, source, opt)
	if err != nil {
		return bundle.Rows{}, err
	}
	if len(s.bad) == 0 {
		return s.rows, nil
	}
	opt.Talk.Line("%d rows could not be scored and are left out, the first is %v", len(s.bad), firstBad(s.bad))
	return s.good(0, s.rows.N), nil
}

// ExplainGlobal returns each input column's mean absolute contribution to the
// margin over the rows of source, as compared with the rows of background if
// that is not "", largest first. Rows that cannot be scored are told and left
// out; in a background they are an error.
func ExplainGlobal(ctx context.Context, b *bundle.Bundle, source, background string, opt Options) ([]bundle.Importance, error) {
	c, err := contributor(ctx, b, background, opt)
	if err != nil {
		return nil, err
	}
	rows, err := readGood(ctx, b, source, opt)
	if err != nil {
		return nil, err
	}
	fields := b.Contract.Inputs()
	sum := make([]float64, len(fields))
	for from := 0; from < rows.N; from += explainRows {
		to := min(from+explainRows, rows.N)
		explained, err := explain.Rows(ctx, c, bundle.Rows{N: to - from, Cols: rows.Cols, Data: rows.Data[from*rows.Cols : to*rows.Cols]})
		if err != nil {
			return nil, err
		}
		for _, e := range explained {
			for j, v := range e.Contributions {
				sum[j] += math.Abs(v)
			}
		}
	}
	return meanAbs(fields, sum, rows.N), nil
}

// ExplainPairs returns the mean absolute value of what pairs of columns do
// together over the rows of source, the largest top of them, or all if top is
// 0. Rows that cannot be scored are told and left out.
func ExplainPairs(ctx context.Context, b *bundle.Bundle, source string, top int, opt Options) ([]explain.PairImportance, error) {
	x, err := b.Interactor()
	if err != nil {
		return nil, err
	}
	rows, err := readGood(ctx, b, source, opt)
	if err != nil {
		return nil, err
	}
	pairs, err := explain.MeanPairs(ctx, x, rows)
	if err != nil {
		return nil, err
	}
	if top > 0 && len(pairs) > top {
		pairs = pairs[:top]
	}
	return pairs, nil
}
