package explore

import (
	"strconv"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/explore/privacy"
)

// secrets knows which columns hold personal data, so that no form of the page
// shows a personal value in full.
type secrets struct {
	of map[string]*privacy.Finding
}

// privateRows is how many evenly spaced values of a column are looked at.
const privateRows = 400

func newSecrets(t *data.Table) *secrets {
	found := make([]*privacy.Finding, len(t.Columns))
	each(len(found), func(i int) {
		col := t.Columns[i]
		var values []string
		if col.Kind == data.Category { // each value once, or common ones would hide the others
			for _, k := range spread(len(col.Dict), privateRows) {
				values = append(values, col.Dict[k])
			}
		} else {
			for _, k := range spread(col.Len(), privateRows) {
				switch {
				case col.Missing(k) || col.Kind == data.Time:
				case col.Kind == data.Number:
					if v := col.Numbers[k]; v >= 1e8 && v < 1e19 && v == float64(int64(v)) {
						values = append(values, strconv.FormatInt(int64(v), 10))
					} else {
						values = append(values, "")
					}
				default:
					values = append(values, col.Texts[k])
				}
			}
		}
		found[i] = privacy.Scan(col.Name, values)
	})
	s := &secrets{map[string]*privacy.Finding{}}
	for i, f := range found {
		if f != nil {
			s.of[t.Columns[i].Name] = f
		}
	}
	return s
}

// show makes a value of a column fit to be read by anyone.
func (s *secrets) show(column, value string) string {
	if f := s.of[column]; f != nil && !f.Within {
		return privacy.Mask(value)
	}
	return privacy.Redact(value)
}

// newSecretsOf looks at the values that a profile counted.
func newSecretsOf(name string, p *data.ColumnProfile) *secrets {
	var values []string
	for _, v := range p.Top {
		values = append(values, v.Value)
	}
	s := &secrets{map[string]*privacy.Finding{}}
	if f := privacy.Scan(name, values); f != nil {
		s.of[name] = f
	}
	return s
}
