package workflow

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// scored is a source encoded for a bundle: row i is data row i of the source,
// and bad[i] says why a row cannot be scored.
type scored struct {
	table *data.Table
	rows  bundle.Rows
	bad   map[int]*data.CellError
}

// readFor reads a source by a bundle's contract, keeping every row in place.
func readFor(ctx context.Context, b *bundle.Bundle, source string, opt Options) (*scored, error) {
	wanted := without(b.Contract, data.Target, data.Excluded)
	res, err := ingest.Read(ctx, source, ingest.Options{Contract: &wanted, KeepBad: true,
		Progress: func(rows int) { opt.Talk.Progress("%d rows", rows) }})
	if err != nil {
		return nil, err
	}
	if len(res.Ignored) > 0 {
		opt.Talk.Line("ignored columns: %s", strings.Join(res.Ignored, ", "))
	}
	layout, err := bundle.NewLayout(&b.Contract)
	if err != nil {
		return nil, err
	}
	rows, bad, err := layout.EncodeTable(res.Table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if bad == nil {
		bad = make(map[int]*data.CellError)
	}
	for i, e := range res.Bad {
		bad[i] = e
	}
	for _, e := range bad {
		e.File = source
	}
	return &scored{res.Table, rows, bad}, nil
}

// without returns the contract less the fields of the given roles.
func without(c data.Contract, roles ...data.Role) data.Contract {
	var out data.Contract
	for _, f := range c.Fields {
		if !slices.Contains(roles, f.Role) {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}

// Predict scores every row of source and writes one CSV line each to w, in
// order: score, decision, the id column if the contract has one and the source
// holds it, the probability of each class (score_CLASS) if there are several,
// and error. A row that cannot be scored has an empty score and the
// reason in error. It returns how many rows there were and how many of them
// could not be scored.
func Predict(ctx context.Context, b *bundle.Bundle, source string, w io.Writer, opt Options) (rows, failed int, err error) {
	s, err := readFor(ctx, b, source, opt)
	if err != nil {
		return 0, 0, err
	}
	id := idColumn(b, s.table)
	header := []string{"score", "decision"}
	if id != nil {
		header = append(header, "id")
	}
	for _, class := range b.Decision.Classes {
		header = append(header, "score_"+class)
	}
	out := csv.NewWriter(w)
	if err := out.Write(append(header, "error")); err != nil {
		return 0, 0, err
	}
	answers := b.Answers(s.rows)
	line := make([]string, 0, len(header)+1)
	for i := range s.rows.N {
		if i%4096 == 0 && ctx.Err() != nil {
			return 0, 0, ctx.Err()
		}
		line = line[:0]
		problem := s.bad[i]
		if problem == nil {
			line = append(line, strconv.FormatFloat(answers[i].Score, 'g', -1, 64), answers[i].Decision)
		} else {
			line = append(line, "", "")
		}
		if id != nil {
			line = append(line, id.Format(i))
		}
		for k := range b.Decision.Classes {
			text := ""
			if problem == nil {
				text = strconv.FormatFloat(answers[i].Scores[k], 'g', -1, 64)
			}
			line = append(line, text)
		}
		if problem == nil {
			line = append(line, "")
		} else {
			line = append(line, problem.Error())
		}
		if err := out.Write(line); err != nil {
			return 0, 0, err
		}
	}
	out.Flush()
	return s.rows.N, len(s.bad), out.Error()
}

func idColumn(b *bundle.Bundle, t *data.Table) *data.Column {
	for _, f := range b.Contract.Fields {
		if f.Role == data.ID {
			return t.Column(f.Name)
		}
	}
	return nil
}

// PredictFile is [Predict] into a file, which appears whole or not at all.
func PredictFile(ctx context.Context, b *bundle.Bundle, source, path string, opt Options) (rows, failed int, err error) {
	err = writeFile(path, func(w io.Writer) error {
		rows, failed, err = Predict(ctx, b, source, w, opt)
		return err
	})
	return rows, failed, err
}
