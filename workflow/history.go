package workflow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// tableOf turns logged decisions into rows of the columns of like, with the
// outcome as target. Columns that were not asked for are missing; a time
// column of that role takes the decision's time where the request had none.
func tableOf(entries []decisions.Entry, like *data.Table, contract *data.Contract, target string) (*data.Table, error) {
	inputs := make([]map[string]any, len(entries))
	for i, e := range entries {
		if err := json.Unmarshal(e.Inputs, &inputs[i]); err != nil {
			return nil, fmt.Errorf("decision %s: its inputs are not JSON: %w", e.ID, err)
		}
		inputs[i][target] = e.Outcome.Value
	}
	columns := make([]*data.Column, len(like.Columns))
	for i, c := range like.Columns {
		fallback := func(int) int64 { return data.MissingTime }
		if f := contract.Field(c.Name); f != nil && f.Role == data.TimeRole {
			fallback = func(row int) int64 { return entries[row].Time.UnixMicro() }
		}
		columns[i] = columnOf(c, inputs, fallback)
	}
	return data.NewTable(columns...)
}

// columnOf collects one column's values from JSON objects.
func columnOf(like *data.Column, inputs []map[string]any, fallback func(row int) int64) *data.Column {
	c := &data.Column{Name: like.Name, Kind: like.Kind}
	texts := make([]string, len(inputs))
	for i, in := range inputs {
		texts[i] = textOf(in[like.Name])
	}
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
