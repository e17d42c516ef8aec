package bundle

import (
	"math"
	"strings"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

// FieldError says that one field of a request breaks the contract. It never
// contains the field's value, so that it may be logged and sent back.
type FieldError struct {
	Field string `json:"field"` // "" when the whole body is meant
	Rule  string `json:"rule"`  // "is required", "must be a number"
}

// Error returns the field and the rule.
func (e *FieldError) Error() string {
	if e.Field == "" {
		return "the request " + e.Rule
	}
	return "field \"" + clip(e.Field) + "\" " + e.Rule
}

// FieldErrors are all that is wrong with one request, in order of the text and
// then of the contract, at most [MaxFieldErrors].
type FieldErrors []*FieldError

// MaxFieldErrors is how many errors of one request are reported.
const MaxFieldErrors = 10

// Error joins the errors with semicolons.
func (e FieldErrors) Error() string {
	parts := make([]string, len(e))
	for i, x := range e {
		parts[i] = x.Error()
	}
	return strings.Join(parts, "; ")
}

// Unwrap lets errors.As find a *FieldError.
func (e FieldErrors) Unwrap() []error {
	out := make([]error, len(e))
	for i, x := range e {
		out[i] = x
	}
	return out
}

// clip shortens a name that a client chose.
func clip(s string) string {
	const most = 64
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// Extras is what a request said beyond its encoded row.
type Extras struct {
	// Values are the fields that are kept but not scored: protected, id, time
	// and group fields that were given and not null, in contract order.
	Values []Extra
	// Unseen are the texts of the categories that training did not see.
	Unseen []UnseenValue
}

// Extra is a field that is typed and logged but never scored.
type Extra struct {
	Name string
	Role data.Role
	// Value is a float64 or a string. Ids and groups are always text, numbers
	// among them as they were written; times are RFC 3339 in UTC.
	Value any
}

// UnseenValue is a category that training did not see.
type UnseenValue struct {
	Col   int // position in the encoded row
	Value string
}

// Value returns the named field's value, or nil if it was not given.
func (x *Extras) Value(name string) any {
	for i := range x.Values {
		if x.Values[i].Name == name {
			return x.Values[i].Value
		}
	}
	return nil
}

// Restore puts the texts of unseen categories into the reasons made from the
// same request's row.
func (x *Extras) Restore(l *Layout, reasons []Reason) {
	for _, u := range x.Unseen {
		name := l.fields[u.Col].Name
		for i := range reasons {
			r := &reasons[i]
			if r.Column != name {
				continue
			}
			if r.Text == sentence(name, Unseen) {
				r.Text = sentence(name, u.Value)
			}
			r.Value = u.Value
		}
	}
}

// DecodeJSON decodes a JSON object of column -> value into dst, an encoded row
// of [Layout.Cols] values.
//
//	number    a JSON number; text is refused, "129" too
//	category  a JSON string; true or false if those are categories; a number if
//	          the categories are numbers. "" is missing
//	time      a string in RFC 3339, "2006-01-02" or "2006-01-02 15:04:05"; UTC
//	          without a zone
//	missing   null, or the field left out
//
// Protected, id, time and group fields are typed likewise and returned in the
// Extras; bounds and Required do not concern them. Target and excluded fields
// are skipped. A field that the contract does not know is an error if strict,
// else skipped. Names are matched exactly; a name given twice is an error.
//
// All that is wrong is returned together as [FieldErrors]: text that is not
// one JSON object in valid UTF-8 (then nothing else is reported), and every
// field that breaks a rule. dst is then not to be scored.
//
// The time is linear in len(raw) and objects may nest 64 deep; callers bound
// the length.
func (l *Layout) DecodeJSON(dst []float64, raw []byte, strict bool) (Extras, error) {
	d := decoder{layout: l, dst: dst[:l.Cols()], strict: strict, seen: make([]bool, len(l.known))}
	for i := range d.dst {
		d.dst[i] = math.NaN()
	}
	d.in = scanner{src: raw}
	if rule := d.object(); rule != "" {
		return Extras{}, FieldErrors{{Rule: rule}}
	}
	for j := range l.fields {
		if f := &l.fields[j]; f.Required && d.dst[j] != d.dst[j] && !d.failed[f.Name] {
			d.fail(f.Name, "is required")
		}
	}
	if len(d.errs) > 0 {
		return Extras{}, d.errs[:min(len(d.errs), MaxFieldErrors)]
	}
	if len(d.extras.Values) > 1 {
		d.sortExtras()
	}
	return d.extras, nil
}

// decoder is the state of one DecodeJSON.
type decoder struct {
	layout *Layout
	in     scanner
	dst    []float64
	strict bool
	extras Extras
	errs   FieldErrors
	failed map[string]bool // fields in errs
	seen   []bool          // per known field
	others map[string]bool // unknown names seen
}

func (d *decoder) fail(field, rule string) {
	if len(d.errs) < MaxFieldErrors && !d.failed[field] {
		d.errs = append(d.errs, &FieldError{Field: field, Rule: rule})
	}
	if d.failed == nil {
		d.failed = make(map[string]bool)
	}
	d.failed[field] = true
}

// object reads the whole body. It returns what is wrong with the text as a
// whole, or "".
func (d *decoder) object() string {
	in := &d.in
	if in.next() != '{' {
		return in.problem("is not a JSON object")
	}
	in.pos++
	if in.next() == '}' {
		in.pos++
		return d.end()
	}
	for {
		if in.next() != '"' {
			return in.problem("is not valid JSON")
		}
		name, ok := in.string()
		if !ok {
			return in.problem("is not valid JSON")
		}
		k, known := d.layout.names[string(name)]
		field := ""
		if known {
			field = d.layout.known[k].Name
		} else {
			field = string(name)
		}
		if in.next() != ':' {
			return in.problem("is not valid JSON")
		}
		in.pos++
		v, ok := in.value()
		if !ok {
			return in.problem("is not valid JSON")
		}
		switch {
		case known && d.seen[k], !known && d.others[field]:
			d.fail(field, "occurs twice")
		case known:
			d.seen[k] = true
			if rule := d.take(k, v); rule != "" {
				d.fail(field, rule)
			}
		default:
			if d.others == nil {
				d.others = make(map[string]bool)
			}
			d.others[field] = true
			if d.strict {
				d.fail(field, "is not a field of this model")
			}
		}
		switch in.next() {
		case ',':
			in.pos++
		case '}':
			in.pos++
			return d.end()
		default:
			return in.problem("is not valid JSON")
		}
	}
}

// end checks that nothing follows the object.
func (d *decoder) end() string {
	d.in.next()
	if d.in.pos < len(d.in.src) {
		return d.in.problem("has text after the JSON object")
	}
	return ""
}

// take stores the value of known field k, or returns the rule it breaks.
func (d *decoder) take(k int, v value) string {
	f := &d.layout.known[k]
	switch f.Role {
	case data.Feature:
		col := d.layout.input[k]
		x, rule := d.encode(f, col, v)
		if rule == "" {
			d.dst[col] = x
		}
		return rule
	case data.Target, data.Excluded:
		return ""
	}
	if v.kind == isNull {
		return ""
	}
	if r := d.layout.repairs[k]; r != nil && f.Role != data.ID && f.Role != data.Group {
		return d.keepRepaired(r, f, v)
	}
	kept, rule := keep(f, v)
	if rule == "" {
		d.extras.Values = append(d.extras.Values, Extra{Name: f.Name, Role: f.Role, Value: kept})
	}
	return rule
}

// encode returns input col's encoding of v, or the rule that v breaks.
func (d *decoder) encode(f *data.Field, col int, v value) (x float64, rule string) {
	if v.kind == isNull {
		return math.NaN(), ""
	}
	if r := d.layout.repairs[d.layout.names[f.Name]]; r != nil {
		return d.repaired(r, f, col, v)
	}
	switch f.Kind {
	case data.Number:
		if x, rule = v.number(); rule == "" {
			rule = numberRule(f, x)
		}
		return x, rule
	case data.Time:
		return v.time()
	}
	dict := &d.layout.dicts[col]
	switch v.kind {
	case isString:
		if i, ok := dict.byText[string(v.text)]; ok {
			return float64(i), ""
		}
		if len(v.text) == 0 {
			return math.NaN(), ""
		}
		x = dict.code(string(v.text))
	case isTrue, isFalse:
		if _, ok := dict.byText["true"]; !ok {
			if _, ok = dict.byText["false"]; !ok {
				return 0, "must be a string"
			}
		}
		x = dict.code(string(v.text))
	case isNumber:
		if !dict.numeric() {
			return 0, "must be a string"
		}
		if x, rule = v.number(); rule != "" {
			return 0, rule
		}
		x = dict.codeOfNumber(x)
	default:
		return 0, "must be a string"
	}
	if x == dict.unseen {
		if f.Closed {
			return 0, notListed
		}
		d.extras.Unseen = append(d.extras.Unseen, UnseenValue{Col: col, Value: string(v.text)})
	}
	return x, ""
}

// repaired encodes a value that goes through repairs first. It may come as text
// whatever the field's kind: repairs are what reads it.
func (d *decoder) repaired(r *clean.Repairer, f *data.Field, col int, v value) (float64, string) {
	cell, rule := repair(r, v)
	if rule != "" || cell.Missing {
		return math.NaN(), rule
	}
	switch f.Kind {
	case data.Number:
		return cell.X, numberRule(f, cell.X)
	case data.Time:
		return cell.X, ""
	}
	x := d.layout.dicts[col].code(cell.Text)
	if x == d.layout.dicts[col].unseen {
		if f.Closed {
			return 0, notListed
		}
		d.extras.Unseen = append(d.extras.Unseen, UnseenValue{Col: col, Value: cell.Text})
	}
	return x, ""
}

// notListed is the rule of a closed list of categories.
const notListed = "is not one of the values that the contract lists"

// repair puts a JSON value through repairs.
func repair(r *clean.Repairer, v value) (clean.Cell, string) {
	switch v.kind {
	case isString, isTrue, isFalse:
		return r.Text(string(v.text))
	case isNumber:
		x, rule := v.number()
		if rule != "" {
			return clean.Cell{Missing: true}, rule
		}
		return r.Number(x)
	}
	return clean.Cell{Missing: true}, "must be a string or a number"
}

// keep returns the value of a field that is logged only, or the rule it
// breaks. Identifiers come as text or as numbers, whatever training saw.
func keep(f *data.Field, v value) (any, string) {
	if f.Role == data.ID || f.Role == data.Group {
		if v.kind == isString || v.kind == isNumber {
			return string(v.text), ""
		}
		return nil, "must be a string or a number"
	}
	switch f.Kind {
	case data.Number:
		x, rule := v.number()
		return x, rule
	case data.Time:
		x, rule := v.time()
		if rule != "" {
			return nil, rule
		}
		return data.FormatTime(int64(x)), ""
	default:
		if v.kind == isArray || v.kind == isObject {
			return nil, "must be a string"
		}
		return string(v.text), ""
	}
}

// keepRepaired keeps the repaired value of a field that is logged only.
func (d *decoder) keepRepaired(r *clean.Repairer, f *data.Field, v value) string {
	cell, rule := repair(r, v)
	if rule != "" || cell.Missing {
		return rule
	}
	var kept any = cell.Text
	switch f.Kind {
	case data.Number:
		kept = cell.X
	case data.Time:
		kept = data.FormatTime(int64(cell.X))
	}
	d.extras.Values = append(d.extras.Values, Extra{Name: f.Name, Role: f.Role, Value: kept})
	return ""
}

// sortExtras brings the extras into contract order; there are few.
func (d *decoder) sortExtras() {
	order := func(x Extra) int { return d.layout.names[x.Name] }
	v := d.extras.Values
	for i := range v {
		for j := i; j > 0 && order(v[j]) < order(v[j-1]); j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
}

// number returns the value as a number, or the rule it breaks.
func (v value) number() (float64, string) {
	if v.kind != isNumber {
		return 0, "must be a number"
	}
	x, ok := data.ParseNumber(string(v.text))
	if !ok {
		return 0, "is too large a number"
	}
	return x, ""
}

// time returns the value as microseconds since 1970, or the rule it breaks.
func (v value) time() (float64, string) {
	if v.kind == isString {
		if us, ok := data.ParseTime(string(v.text)); ok {
			return float64(us), ""
		}
	}
	return 0, `must be a time such as "2006-01-02T15:04:05Z" or a date such as "2006-01-02"`
}
