package workflow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// tableOf turns logged decisions into rows of the columns of like, with the
// outcome as target. Columns that were not asked for are missing; a time
// column of that role takes the decision's time where the request had none.
func tableOf(entries []decisions.Entry, like *data.Table, contract *data.Contract, target string) (*data.Table, error) {
	texts := make([][]string, len(like.Columns)) // by column, then row
	for c := range texts {
		texts[c] = make([]string, len(entries))
	}
	for row, e := range entries {
		var inputs map[string]any
		if err := json.Unmarshal(e.Inputs, &inputs); err != nil {
			return nil, fmt.Errorf("decision %s: its inputs are not a JSON object", e.ID) // the cause would quote them
		}
		for c, column := range like.Columns {
			if column.Name == target {
				texts[c][row] = e.Outcome.Value
			} else {
				texts[c][row] = textOf(inputs[column.Name])
			}
		}
	}
	columns := make([]*data.Column, len(like.Columns))
	for i, c := range like.Columns {
		if f := contract.Field(c.Name); f != nil && len(f.Clean) > 0 { // the log has what requests brought
			repair, err := clean.Compile(f.Clean, f.Kind)
			if err != nil {
				return nil, fmt.Errorf("column %q: %w", c.Name, err)
			}
			for row, s := range texts[i] {
				texts[i][row] = repair.Format(s)
			}
		}
		fallback := func(int) int64 { return data.MissingTime }
		if f := contract.Field(c.Name); f != nil && f.Role == data.TimeRole {
			fallback = func(row int) int64 { return entries[row].Time.UnixMicro() }
		}
		columns[i] = columnOf(c, texts[i], fallback)
	}
	return data.NewTable(columns...)
}

// columnOf reads one column's values from texts, "" where there is none.
func columnOf(like *data.Column, texts []string, fallback func(row int) int64) *data.Column {
	c := &data.Column{Name: like.Name, Kind: like.Kind}
	switch like.Kind {
	case data.Category:
		return data.CategoryColumn(like.Name, texts)
	case data.Text:
		c.Texts = texts
	case data.Number:
		c.Numbers = make([]float64, len(texts))
		for i, s := range texts {
			if x, ok := data.ParseNumber(s); ok {
				c.Numbers[i] = x
			} else {
				c.Numbers[i] = math.NaN()
			}
		}
	case data.Time:
		c.Times = make([]int64, len(texts))
		for i, s := range texts {
			if us, ok := data.ParseTime(s); ok {
				c.Times[i] = us
			} else {
				c.Times[i] = fallback(i)
			}
		}
	}
	return c
}

func textOf(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return data.FormatNumber(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}
