package project

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

// FileName is the name of the project file in its folder.
const FileName = "tandem.yaml"

// MaxSize is the largest project file that is read, in bytes.
const MaxSize = 1 << 20

// Project is what tandem.yaml declares, with every default filled in. The
// meaning, range and default of each field are those of the key of the same
// name in [Keys].
type Project struct {
	Dir        string       `json:"-"` // the folder; relative sources are resolved against it
	Name       string       `json:"name"`
	Data       Data         `json:"data"`
	Clean      []clean.Step `json:"clean,omitempty"` // in the file's order
	Hypotheses []Hypothesis `json:"hypotheses,omitempty"`
	Model      Model        `json:"model"`
	Seed       uint64       `json:"seed"`
	Decision   Decision     `json:"decision"`
	Gates      []Gate       `json:"gates,omitempty"`    // in the file's order
	Contract   []Edit       `json:"contract,omitempty"` // in the file's order
	Serve      Serve        `json:"serve"`
	Decisions  Decisions    `json:"decisions"`
	Monitor    Monitor      `json:"monitor"`
	Retrain    Retrain      `json:"retrain"`

	file    string // as named in messages
	columns []mention
}

// Data says where the rows are and what part each column plays. A name that
// was not given is "".
type Data struct {
	Source    string   `json:"source"`
	Target    string   `json:"target"`
	Positive  string   `json:"positive,omitempty"`
	Time      string   `json:"time,omitempty"`
	ID        string   `json:"id,omitempty"`
	Group     string   `json:"group,omitempty"`
	Exclude   []string `json:"exclude,omitempty"`
	Protected []string `json:"protected,omitempty"`

	Read  data.Dialect      `json:"read,omitzero"`   // what reading the source need not guess
	SQL   string            `json:"sql,omitempty"`   // the query whose rows are the data
	Files map[string]string `json:"files,omitempty"` // table of the query -> file or pattern

	Contract string `json:"contract,omitempty"` // a file of the form that [ParseContract] reads
}

// Hypothesis is one question to be tested before modelling: one of Compare,
// Associate, Correlate, Trend, Spread, Normal, Proportion, Paired, AB and Survival
// with what goes with it. science/hypothesis says what each asks.
type Hypothesis struct {
	Question string `json:"question"`

	Compare   string   `json:"compare,omitempty"`
	Between   string   `json:"between,omitempty"`
	Within    float64  `json:"within,omitempty"`
	Given     []string `json:"given,omitempty"`
	Associate []string `json:"associate,omitempty"`
	Correlate []string `json:"correlate,omitempty"`

	Trend string `json:"trend,omitempty"`
	Over  string `json:"over,omitempty"`

	Spread string `json:"spread,omitempty"`
	Normal string `json:"normal,omitempty"`

	Proportion string  `json:"proportion,omitempty"`
	Is         string  `json:"is,omitempty"`
	Of         float64 `json:"of,omitempty"`

	Paired []string `json:"paired,omitempty"`

	AB      string  `json:"ab,omitempty"`
	Arm     string  `json:"arm,omitempty"`
	Control string  `json:"control,omitempty"`
	Per     string  `json:"per,omitempty"`
	Pre     string  `json:"pre,omitempty"`
	Share   float64 `json:"share,omitempty"`

	Survival string `json:"survival,omitempty"`
	Event    string `json:"event,omitempty"`
}

// Model says what to learn and how long to look for it.
type Model struct {
	Task          string        `json:"task"`   // "auto", "binary", "regression"
	Metric        string        `json:"metric"` // "auto", "auc", "log_loss", "rmse"
	Budget        time.Duration `json:"budget"`
	Interpretable bool          `json:"interpretable"`

	TargetStatistics bool `json:"target_statistics"` // of columns with many categories, for trees
}

// Decision says what a wrong decision costs and how decisions are explained.
type Decision struct {
	Cost        Cost              `json:"cost"`
	Reasons     int               `json:"reasons"`
	ReasonTexts map[string]string `json:"reason_texts,omitempty"` // column -> plain sentence
}

// Cost is the price of each kind of wrong decision, in any unit; only the
// ratio matters.
type Cost struct {
	FalsePositive float64 `json:"false_positive"`
	FalseNegative float64 `json:"false_negative"`
}

// Gate is a condition on a metric of the holdout.
type Gate struct {
	Metric string  `json:"metric"`
	Op     string  `json:"op"` // ">=", ">", "<=" or "<"
	Limit  float64 `json:"limit"`
}

// Rule returns the condition as the file writes it: ">= 0.8".
func (g Gate) Rule() string { return g.Op + " " + data.FormatNumber(g.Limit) }

// Held reports whether value meets the condition. NaN never does.
func (g Gate) Held(value float64) bool {
	switch g.Op {
	case ">=":
		return value >= g.Limit
	case ">":
		return value > g.Limit
	case "<=":
		return value <= g.Limit
	case "<":
		return value < g.Limit
	}
	return false
}

// Edit changes what the contract learned about one column. A nil field leaves
// what was learned.
type Edit struct {
	Column   string   `json:"column"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	Required *bool    `json:"required,omitempty"`
}

// Serve says where the server listens.
type Serve struct {
	Address string `json:"address"` // host:port
}

// Decisions says how the decision log is written, and how long it is kept.
type Decisions struct {
	Durability string        `json:"durability"`            // "os", "disk" or "async"
	Keep       time.Duration `json:"keep,omitempty"`        // age from which decisions are removed; 0: never
	KeepInputs time.Duration `json:"keep_inputs,omitempty"` // age from which their content is erased; 0: never
	Parquet    bool          `json:"parquet"`               // the log is rolled into Parquet files as well
}

// Monitor says how decisions are watched.
type Monitor struct {
	Window   Window        `json:"window"`
	Maturity time.Duration `json:"maturity"` // the age at which an outcome counts as known
}

// Window is the stretch of decisions that is compared with the training data.
// Exactly one field is above 0.
type Window struct {
	Decisions int           `json:"decisions,omitempty"`
	Every     time.Duration `json:"every,omitempty"`
}

// String returns "500 decisions" or "1d".
func (w Window) String() string {
	if w.Every > 0 {
		return FormatDuration(w.Every)
	}
	return fmt.Sprintf("%d decisions", w.Decisions)
}

// Retrain says when a challenger may take the champion's place.
type Retrain struct {
	Gate RetrainGate `json:"gate"`
}

// RetrainGate is the test of a challenger against the champion.
type RetrainGate struct {
	NonInferior float64 `json:"non_inferior"` // the largest loss of the metric that still counts as "not worse"
	Confidence  float64 `json:"confidence"`   // one-sided, in [0.5, 1)
}

// Load reads and checks DIR/tandem.yaml. The error joins one [*Problem] per
// thing that is wrong, in the file's order.
func Load(dir string) (*Project, error) {
	path := filepath.Join(dir, FileName)
	f, err := os.Open(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, data.WithHint(fmt.Errorf("open project %q: there is no %s in it: %w", dir, FileName, fs.ErrNotExist),
				"write one from the data with: tandem init FILE")
		}
		return nil, fmt.Errorf("open project %q: %w", dir, err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open project %q: %w", dir, err)
	}
	return parse(path, filepath.Base(abs), src)
}

// Parse checks a project file's text. name is the file's path as it shall
// stand in messages; its folder becomes Dir, and the project's name where the
// file gives none. The error is as for [Load].
func Parse(name string, src []byte) (*Project, error) {
	return parse(name, filepath.Base(filepath.Dir(name)), src)
}

func parse(name, folder string, src []byte) (*Project, error) {
	p := Default()
	p.file = name
	p.Dir = filepath.Dir(name)
	p.Name = nameFrom(folder)
	r := &reader{file: name, project: p, places: map[string]place{}}
	r.document(src)
	r.check()
	if err := r.err(); err != nil {
		return nil, err
	}
	return p, nil
}

// Default returns a project with every default filled in and no data: what an
// empty file would mean if data.source and data.target could be left out.
func Default() *Project {
	p := &Project{Name: unnamed}
	for _, k := range keys {
		if k.Default == "" {
			continue
		}
		r := &reader{file: "default of " + k.Path, project: p}
		r.value(k, k.Default)
		if err := r.err(); err != nil {
			panic(fmt.Sprintf("project: the table of keys contradicts itself: %v", err))
		}
	}
	p.columns = nil
	return p
}

// unnamed is the name of a project whose folder has no usable name.
const unnamed = "project"

// nameFrom makes a project name of a folder's name: letters, digits, '-', '_'
// and '.' stay, other runs become one '-'.
func nameFrom(folder string) string {
	var b strings.Builder
	for _, c := range folder {
		switch {
		case nameRune(c):
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	s := strings.Trim(b.String(), "-.")
	if len(s) > maxName {
		s = strings.Trim(s[:maxName], "-.")
	}
	if s == "" {
		return unnamed
	}
	return s
}

const maxName = 64

func nameRune(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// Roles returns which columns play a part other than feature.
func (p *Project) Roles() data.Roles {
	return data.Roles{
		Target: p.Data.Target, ID: p.Data.ID, Time: p.Data.Time, Group: p.Data.Group,
		Protected: p.Data.Protected, Exclude: p.Data.Exclude,
	}
}

// CheckColumns returns one [*Problem] for each column that the file names and
// that is not among names, with the nearest that is; nil if all exist.
func (p *Project) CheckColumns(names []string) error {
	have := make(map[string]bool, len(names))
	for _, n := range names {
		have[n] = true
	}
	r := &reader{file: p.file}
	for _, m := range p.columns {
		if !have[m.column] {
			r.fail(m.place, "%s: the data has no column %q%s", m.key, m.column, didYouMean(m.column, names))
		}
	}
	return r.err()
}

// Apply changes c as the file's contract section says. It returns an error
// naming the column if c has no such field, the field is not a number where
// bounds are given, or the bounds end up the wrong way round; c is then
// unchanged.
func (p *Project) Apply(c *data.Contract) error {
	edited := append([]data.Field(nil), c.Fields...)
	var problems []error
	for _, e := range p.Contract {
		f := fieldOf(edited, e.Column)
		if f == nil {
			problems = append(problems, fmt.Errorf("contract.%s: the data has no such column", e.Column))
			continue
		}
		if (e.Min != nil || e.Max != nil) && f.Kind != data.Number {
			problems = append(problems, fmt.Errorf("contract.%s: min and max need a number column, and this one is a %s", e.Column, f.Kind))
			continue
		}
		if e.Min != nil {
			f.Min = e.Min
		}
		if e.Max != nil {
			f.Max = e.Max
		}
		if e.Required != nil {
			f.Required = *e.Required
		}
		if f.Min != nil && f.Max != nil && *f.Min > *f.Max {
			problems = append(problems, fmt.Errorf("contract.%s: min %v is above max %v; give both bounds", e.Column, *f.Min, *f.Max))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	c.Fields = edited
	return nil
}

func fieldOf(fields []data.Field, name string) *data.Field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
