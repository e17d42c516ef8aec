package explore

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/tandem-ml/tandem/chart"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/science/explore/privacy"
)

// Format is the version of the JSON form; a change that breaks readers raises it.
const Format = 1

// Options are the settings of [Build]. The zero value explores a table without
// a target, unless the contract names one.
type Options struct {
	// Title stands at the head of the page; "" is "Data".
	Title string
	// Target is the column to be predicted; "" is the contract's target, if any.
	Target string
	// Positive is the target's positive value; "" is the rarer of two values,
	// the later one of equals. A target of more values with Positive given is
	// explored as that value against all others.
	Positive string
	// Ingest lists what reading the data guessed, repaired and rejected, to be shown.
	Ingest []string
}

// Page is all that was found, in the order in which it is shown.
type Page struct {
	Format   int      `json:"format"`
	Title    string   `json:"title"`
	Overview Overview `json:"overview"`
	Target   *Target  `json:"target,omitempty"` // nil without a target
	Alerts   []Alert  `json:"alerts"`           // most severe first
	Columns  []Column `json:"columns"`          // in table order
	Notes    []string `json:"notes"`            // what was sampled or left out

	// Steps is the text of all steps that the alerts propose, to be added to tandem.yaml.
	Steps        string        `json:"steps,omitempty"`
	Missing      Missing       `json:"missing"`
	Associations Associations  `json:"associations"`
	Interactions []Interaction `json:"interactions"` // pairs that say more of the target together, most first
	Time         *Timeline     `json:"time,omitempty"`
	Groups       Groups        `json:"groups"`
	Ingest       []string      `json:"ingest,omitempty"` // what reading guessed, repaired and rejected
}

// Overview counts what the table holds.
type Overview struct {
	Rows         int            `json:"rows"`
	Columns      int            `json:"columns"`
	Kinds        map[string]int `json:"kinds"`          // kind -> columns
	MissingCells int64          `json:"missing_cells"`  // values that are missing, over all columns
	CompleteRows int            `json:"complete_rows"`  // rows without a missing value
	Duplicates   int            `json:"duplicate_rows"` // rows equal to an earlier one in all columns but the id
}

// Num is a number that JSON may not be able to hold: NaN, which says that the
// statistic does not exist, and infinities are written as null.
type Num float64

// MarshalJSON writes the number, or null.
func (n Num) MarshalJSON() ([]byte, error) {
	if v := float64(n); !math.IsNaN(v) && !math.IsInf(v, 0) {
		return json.Marshal(v)
	}
	return []byte("null"), nil
}

// Build explores a table. p is its profile, nil to have it made; c its
// contract, which gives the columns' roles, nil for none. Nothing is modified.
// A table without rows or columns gives a page that says so.
//
// The only error is a target that the table does not have.
func Build(t *data.Table, p *data.Profile, c *data.Contract, opt Options) (*Page, error) {
	if p == nil {
		made := data.NewProfile(t)
		p = &made
	}
	if c == nil {
		c = &data.Contract{}
	}
	if opt.Target == "" {
		if f := c.Target(); f != nil && t.Column(f.Name) != nil {
			opt.Target = f.Name
		}
	}
	page := &Page{Format: Format, Title: opt.Title, Alerts: []Alert{}, Notes: []string{}, Columns: make([]Column, len(t.Columns))}
	if page.Title == "" {
		page.Title = "Data"
	}
	for _, line := range opt.Ingest {
		page.Ingest = append(page.Ingest, privacy.Redact(line))
	}
	page.Overview, page.Missing = overview(t, c)
	profiles := make(map[string]*data.ColumnProfile, len(p.Columns))
	for i := range p.Columns {
		profiles[p.Columns[i].Name] = &p.Columns[i]
	}
	own := make([]*data.ColumnProfile, len(t.Columns))
	each(len(own), func(i int) { own[i] = profileOf(profiles, t.Columns[i]) })
	secret := newSecrets(t)
	var y *labels
	if opt.Target != "" {
		col := t.Column(opt.Target)
		if col == nil {
			return nil, data.WithHint(fmt.Errorf("target %q is not a column of the table", opt.Target),
				"did you mean %q?", data.Nearest(opt.Target, t.Names()))
		}
		y = readLabels(col, opt.Positive)
		page.Target = describeTarget(col, profiles[opt.Target], y, secret)
		if y.y != nil && y.sampled() {
			page.Notes = append(page.Notes, fmt.Sprintf("Relations with the target are measured on %s evenly spaced rows.", chart.Count(int64(len(y.rows)))))
		}
	}
	each(len(t.Columns), func(i int) {
		page.Columns[i] = describe(t.Columns[i], own[i], c.Field(t.Columns[i].Name), y, opt.Target, secret)
	})
	page.Time = timeline(t, page, c, y)
	page.Groups = groups(t, page, c)
	page.associate(t, opt.Target)
	page.interact(t, y)
	copies, note := nearCopies(t, opt.Target)
	if note != "" {
		page.Notes = append(page.Notes, note)
	}
	page.Alerts = append(page.Alerts, alerts(t, page, copies, leaks(t, page, own, y, secret), secret.show)...)
	page.Steps = together(page.Alerts)
	kinds := make(map[string][]string)
	for _, a := range page.Alerts {
		kinds[a.Column] = append(kinds[a.Column], a.Kind)
	}
	for i := range page.Columns {
		page.Columns[i].Alerts = kinds[page.Columns[i].Name]
	}
	return page, nil
}

// profileOf returns the column's profile; one that is not of this column is made.
func profileOf(profiles map[string]*data.ColumnProfile, c *data.Column) *data.ColumnProfile {
	if found := profiles[c.Name]; found != nil && found.Kind == c.Kind && found.Count+found.Missing == int64(c.Len()) {
		return found
	}
	alone, err := data.NewTable(c)
	if err != nil {
		panic(fmt.Sprintf("explore: column %q of a table is no table: %v", c.Name, err))
	}
	made := data.NewProfile(alone)
	return &made.Columns[0]
}

// each calls f(0) .. f(n-1) on all processors. Results go to places of their
// own, so the order of calls cannot show.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
}

// JSON writes the page as one indented object: the schema is that of [Page].
func (p *Page) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	if err := e.Encode(p); err != nil {
		return fmt.Errorf("write exploration of %q as JSON: %w", p.Title, err)
	}
	return nil
}
