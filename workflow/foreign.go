package workflow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem"
	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/bundle/foreign"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// importTests is how many generated test rows an imported bundle carries.
const importTests = 64

// ImportOptions say what a model file of another library does not.
type ImportOptions struct {
	Data     string // a table of the training data: contract, profile and importance come from it; "" for none
	Target   string // the column that is predicted; "" if unknown
	Positive string // the class whose probability the model gives; "" to take it from Data, else "1"
}

// Import reads a model of LightGBM, XGBoost or CatBoost and makes a bundle of
// it, which is served, explained and watched like any other. Without opt.Data
// its contract refuses nothing that the library accepts, and there is no profile
// to compare decisions with.
func Import(ctx context.Context, path string, opt ImportOptions, run Options) (*bundle.Bundle, error) {
	src, err := readModel(path)
	if err != nil {
		return nil, err
	}
	m, err := foreign.Read(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	sum := sha256.Sum256(src)
	b := &bundle.Bundle{
		Manifest: bundle.Manifest{
			Format: bundle.FormatVersion, Producer: "tandem " + tandem.Version, Name: name(path),
			Task: m.Task, Target: opt.Target, Complete: true, Reasons: 4,
			Data: data.Snapshot{Source: filepath.Base(path), SHA256: hex.EncodeToString(sum[:]), Columns: len(m.Columns)},
		},
		Model: bundle.Model{Contract: m.Contract(), Members: m.Members, Calibration: m.Calibration},
	}
	target := Target{Task: m.Task, Column: opt.Target, Positive: opt.Positive}
	var known *importedData
	if opt.Data != "" {
		if known, err = readImported(ctx, opt.Data, m, &target, run); err != nil {
			return nil, err
		}
		b.Manifest.Data, b.Contract, b.Profile = known.snapshot, known.contract, ofInputs(&known.profile, &known.contract)
	}
	switch m.Task {
	case bundle.Binary:
		b.Decision = decisionOf(target)
	case bundle.Multiclass:
		if b.Decision.Classes, err = classesOf(m, known); err != nil {
			return nil, err
		}
	}
	ready, err := bundle.NewModel(b.Model)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b.Model = *ready
	b.Tests = b.TestRows(foreign.Probe(&b.Model, importTests))
	b.Card = importedCard(b, m, opt)
	if known != nil {
		if err := known.describe(ctx, b, target); err != nil {
			return nil, err
		}
	}
	return bundle.New(*b)
}

// readModel reads a model file, within the size of a bundle.
func readModel(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, data.WithHint(fmt.Errorf("open model: %w", err), "name the file that the library saved")
	case !info.Mode().IsRegular():
		return nil, data.WithHint(fmt.Errorf("open model: %s is not a file", path), "name the file that the library saved")
	case info.Size() > bundle.MaxFileSize:
		return nil, fmt.Errorf("open model: %s has %d bytes, and %d is the limit", path, info.Size(), bundle.MaxFileSize)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w", err)
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, bundle.MaxFileSize))
}

// name is a model's name: its file's without the ending.
func name(path string) string {
	base := filepath.Base(path)
	if stem, _, ok := strings.Cut(base, "."); ok && stem != "" {
		return stem
	}
	return base
}

// decisionOf gives both classes a label.
func decisionOf(t Target) bundle.Decision {
	d := bundle.Decision{Positive: t.Positive, Negative: t.Negative, Threshold: 0.5}
	if d.Positive == "" {
		d.Positive = "1"
	}
	if d.Negative == "" {
		if d.Negative = "not " + d.Positive; d.Positive == "1" {
			d.Negative = "0"
		}
	}
	return d
}

// classesOf gives the classes labels: the values of the target, in order of
// value if they are numbers and of bytes if not, as the libraries' encoders
// number them; without a target their numbers, from 0.
func classesOf(m *foreign.Model, known *importedData) ([]string, error) {
	var labels []string
	if known == nil || known.target == nil {
		for k := range m.Classes {
			labels = append(labels, strconv.Itoa(k))
		}
		return labels, nil
	}
	for i := range known.target.Len() {
		if s := known.target.Format(i); !slices.Contains(labels, s) {
			if labels = append(labels, s); len(labels) > m.Classes {
				break
			}
		}
	}
	if len(labels) != m.Classes {
		return nil, data.WithHint(fmt.Errorf("column %q, the target, does not have the %d values that the model has classes", known.target.Name, m.Classes),
			"give the table the model was trained on, or leave out --target to have the classes numbered from 0")
	}
	sortClasses(labels)
	return labels, nil
}

// importedCard says what is known of a model that was trained elsewhere.
func importedCard(b *bundle.Bundle, m *foreign.Model, opt ImportOptions) bundle.Card {
	c := bundle.Card{
		Name: b.Manifest.Name, Task: m.Task, Target: opt.Target, Positive: b.Decision.Positive, Negative: b.Decision.Negative,
		Threshold: b.Decision.Threshold, Chosen: m.Members[0].Learner, Metric: "auc",
		Split:       bundle.Split{Method: "given"},
		Leaderboard: []bundle.LeaderboardRow{{Learner: m.Members[0].Learner}},
		Limits:      []string{fmt.Sprintf("Imported from %s (objective %s): how it was trained and how well it does on rows it has not seen is not in its file.", m.Library, m.Objective)},
	}
	switch m.Task {
	case bundle.Regression:
		c.Metric = "rmse"
	case bundle.Multiclass:
		c.Metric = "log_loss"
	}
	return c
}

// importedData is what a table tells of a model that was trained elsewhere.
type importedData struct {
	table    *data.Table // the model's columns
	target   *data.Column
	snapshot data.Snapshot
	profile  data.Profile
	contract data.Contract
}

// readImported reads the table by the model's columns, learns its contract and
// completes the target.
func readImported(ctx context.Context, source string, m *foreign.Model, target *Target, run Options) (*importedData, error) {
	natural, err := ingest.Read(ctx, source, ingest.Options{KeepBad: true, Progress: func(rows int) { run.Talk.Progress("%d rows", rows) }})
	if err != nil {
		return nil, err
	}
	wanted := m.Contract()
	for _, f := range wanted.Fields {
		switch {
		case natural.Table.Column(f.Name) == nil:
			return nil, fmt.Errorf("%s: the model reads a column that is not there: %w", source, noColumn(natural.Table, f.Name))
		case f.Name == target.Column:
			return nil, Usagef("column %q is named as the target, but the model reads it", f.Name)
		}
	}
	typed, err := ingest.Read(ctx, source, ingest.Options{Contract: &wanted, KeepBad: true})
	if err != nil {
		return nil, err
	}
	tellRejects(run.Talk, typed.Rejects)
	keep := make([]int, 0, typed.Table.Rows())
	for i := range typed.Table.Rows() {
		if typed.Bad[i] == nil && natural.Bad[i] == nil {
			keep = append(keep, i)
		}
	}
	if 2*len(keep) < typed.Table.Rows() {
		err := fmt.Errorf("%s: %d of %d rows cannot be read as the model's columns", source, typed.Table.Rows()-len(keep), typed.Table.Rows())
		if len(typed.Rejects) > 0 {
			err = data.WithHint(err, "the first: column %q: %s", typed.Rejects[0].Column, typed.Rejects[0].Reason)
		}
		return nil, err
	}
	known := &importedData{table: typed.Table.Gather(keep), snapshot: typed.Snapshot}
	if target.Column != "" {
		c := natural.Table.Column(target.Column)
		if c == nil {
			return nil, noColumn(natural.Table, target.Column)
		}
		known.target = c.Gather(keep)
		if err := known.resolve(target); err != nil {
			return nil, err
		}
	}
	known.profile = data.NewProfile(known.table)
	return known, known.learn(m)
}

// resolve completes the target by its values, leaving out rows without one.
func (k *importedData) resolve(target *Target) error {
	var keep []int
	for i := range k.target.Len() {
		if !k.target.Missing(i) {
			keep = append(keep, i)
		}
	}
	k.table, k.target = k.table.Gather(keep), k.target.Gather(keep)
	if target.Task == bundle.Multiclass {
		return nil // classesOf looks at its values
	}
	t, err := resolveTarget(k.target, string(target.Task), target.Positive)
	*target = t
	return err
}

// learn takes from the table what the model's file does not know: which columns
// are never missing, and the range of numbers. The categories are the model's.
func (k *importedData) learn(m *foreign.Model) error {
	learned, err := data.Learn(k.table, &k.profile, data.Roles{})
	if err != nil {
		return err
	}
	k.contract = m.Contract()
	for i := range k.contract.Fields {
		f, l := &k.contract.Fields[i], learned.Field(k.contract.Fields[i].Name)
		f.MissingRate, f.Required = l.MissingRate, l.MissingRate == 0
		if f.Kind == data.Number && l.Role == data.Feature {
			f.Min, f.Max, f.Integer, f.Infinite = l.Min, l.Max, l.Integer, l.Infinite
		}
	}
	if k.target != nil {
		f := data.Field{Name: k.target.Name, Kind: k.target.Kind, Role: data.Target}
		if f.Kind == data.Category {
			f.Categories = distinct(k.target, len(k.target.Dict)+1)
		}
		k.contract.Fields = append(k.contract.Fields, f)
	}
	return nil
}

// describe scores the table: the scores are what production's are compared
// with, and the columns' importance is measured, by shuffling if the outcomes
// are known and else by the size of the contributions.
func (k *importedData) describe(ctx context.Context, b *bundle.Bundle, target Target) error {
	rows, bad, err := b.Layout().EncodeTable(k.table)
	if err != nil {
		return err
	}
	if len(bad) > 0 {
		return fmt.Errorf("the contract that was learned refuses its own row: %w", firstBad(bad))
	}
	column := &data.Column{Name: "score", Kind: data.Number, Numbers: scores(b, rows)}
	t, err := data.NewTable(column)
	if err != nil {
		return err
	}
	b.Scores = data.NewProfile(t).Columns[0]
	if k.target != nil && target.Task != bundle.Multiclass {
		y, err := target.labels(k.target)
		if err != nil {
			return err
		}
		b.Card.Importance, err = importance(ctx, b, prepared{rows, y}, 0)
		return err
	}
	const explained = 1000
	n := min(rows.N, explained)
	sum, part := make([]float64, rows.Cols), make([]float64, rows.Cols)
	for i := range n {
		b.Contributions(part, rows.Row(i*rows.N/n))
		for j, x := range part {
			sum[j] += max(x, -x)
		}
	}
	b.Card.Importance = meanAbs(b.Layout().Fields(), sum, n)
	return nil
}

// Export writes a bundle's trees as a model file of another library. to is
// "lightgbm" or "xgboost". uncalibrated leaves a binary model's calibration out.
func Export(b *bundle.Bundle, to, path string, uncalibrated bool) error {
	write := map[string]func(*bundle.Model) ([]byte, error){"lightgbm": foreign.WriteLightGBM, "xgboost": foreign.WriteXGBoost}[to]
	if write == nil {
		return Usagef("--to %q is not known; lightgbm and xgboost are", to)
	}
	m := b.Model
	if uncalibrated && m.Calibration.Method == "sigmoid" {
		m.Calibration = bundle.Calibration{Method: "sigmoid", A: 1}
	}
	out, err := write(&m)
	if err != nil {
		return err
	}
	return writeBytes(path, out)
}
