package project

import (
	"math"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/tandem-ml/tandem/data"
)

// Key is one word of the project file's vocabulary.
type Key struct {
	Path      string // "model.budget"
	Value     string // what may stand there, in words
	Default   string // as the file would write it; "" for none
	Doc       string // meaning and effect
	Supported bool   // false: known, and refused by this version
}

// key is a Key with its reader.
type key struct {
	Key
	read func(r *reader, n ast.Node, p *Project)
}

// Keys returns the whole vocabulary in the order of the file: the supported
// keys, and the words of later versions that this one refuses by name.
func Keys() []Key {
	out := make([]Key, len(keys))
	for i, k := range keys {
		out[i] = k.Key
	}
	return out
}

// metricNames are what a gate may hold, by task.
var (
	binaryMetrics     = []string{"auc", "accuracy", "log_loss", "brier", "ks", "calibration_error"}
	regressionMetrics = []string{"rmse", "mae", "r2"}
	gateMetrics       = append(append([]string{}, binaryMetrics...), regressionMetrics...)
)

// keys is the one source of names, defaults, ranges and explanations.
var keys = vocabulary()

func vocabulary() []key {
	var ks []key
	add := func(path, value, def, doc string, read func(r *reader, n ast.Node, p *Project)) {
		ks = append(ks, key{Key{Path: path, Value: value, Default: def, Doc: doc, Supported: true}, read})
	}
	later := func(path, doc string) {
		ks = append(ks, key{Key: Key{Path: path, Doc: doc}})
	}

	add("name", "letters, digits, `-`, `_`, `.`; at most 64", "",
		"The project's name in the registry, on pages and in addresses. Left out, it is the folder's name.",
		func(r *reader, n ast.Node, p *Project) { r.name(n, &p.Name) })

	column := func(path, doc string, field func(*Data) *string) {
		add(path, "a column", "", doc, func(r *reader, n ast.Node, p *Project) { r.column(n, path, field(&p.Data)) })
	}
	add("data.source", "a file, a glob pattern or an address", "",
		"Where the rows are, relative to the folder of the file: CSV, TSV, JSON, Parquet, Arrow or Excel, also compressed with gzip, zstd or zip. Also `https://`, `s3://bucket/key`, `postgres://` with `data.sql`, or `env:NAME` for an address in an environment variable. Required, but with `data.files`.",
		func(r *reader, n ast.Node, p *Project) { r.source(n, &p.Data.Source) })
	column("data.target", "The column to predict. Required.", func(d *Data) *string { return &d.Target })
	add("data.positive", "a value of the target", "",
		"The class whose probability is the score. Numbers compare by value: `1` is `1.0`. Left out, the rarer class.",
		func(r *reader, n ast.Node, p *Project) { r.text(n, &p.Data.Positive) })
	column("data.time", "When the row happened. Models are then judged on the newest rows.", func(d *Data) *string { return &d.Time })
	column("data.id", "What a decision can be found by. Never scored.", func(d *Data) *string { return &d.ID })
	column("data.group", "Rows of one group, such as one customer, are never on both sides of a split. Never scored.",
		func(d *Data) *string { return &d.Group })
	add("data.exclude", "a list of columns", "",
		"Columns that are not used at all.",
		func(r *reader, n ast.Node, p *Project) { r.columnList(n, "data.exclude", &p.Data.Exclude) })
	add("data.protected", "a list of columns", "",
		"Columns that may come in a request but are never scored and never a reason.",
		func(r *reader, n ast.Node, p *Project) { r.columnList(n, "data.protected", &p.Data.Protected) })

	add("data.sql", "a query", "",
		"The rows are what this `SELECT` gives: over the tables of `data.files`, by DuckDB, or at the PostgreSQL server that `data.source` names, in a read-only transaction. Give it an `ORDER BY`: equal rows in equal order give equal models.",
		func(r *reader, n ast.Node, p *Project) { r.text(n, &p.Data.SQL) })
	add("data.files", "a map from table to file or pattern", "",
		"The tables of `data.sql`. Each file is read as a source is, with `data.read`.",
		func(r *reader, n ast.Node, p *Project) { r.files(n, &p.Data.Files) })
	answer := func(name, value, doc string, read func(r *reader, n ast.Node, d *data.Dialect)) {
		add("data.read."+name, value, "", doc, func(r *reader, n ast.Node, p *Project) { read(r, n, &p.Data.Read) })
	}
	answer("encoding", "`utf-8`, `utf-16le`, `utf-16be`, `windows-1252` or `latin-1`", "How the text is encoded. Left out, it is told from the file.",
		func(r *reader, n ast.Node, d *data.Dialect) {
			r.oneOf(n, &d.Encoding, []string{"utf-8", "utf-16le", "utf-16be", "windows-1252", "latin-1"}, nil)
		})
	answer("delimiter", "one character", "What stands between cells.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.character(n, &d.Delimiter) })
	answer("quote", "`\"`, `'` or `none`", "What stands around a cell that holds the delimiter or a line break.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.oneOf(n, &d.Quote, []string{`"`, "'", "none"}, nil) })
	answer("escape", "`\\` or `none`", "What stands before a quote within quotes. `none`: the quote is doubled.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.oneOf(n, &d.Escape, []string{`\`, "none"}, nil) })
	answer("header", "`true` or `false`", "Whether the first line names the columns.",
		func(r *reader, n ast.Node, d *data.Dialect) { d.Header = new(bool); r.boolean(n, d.Header) })
	answer("skip", "a whole number from 0", "How many lines stand before the header.",
		func(r *reader, n ast.Node, d *data.Dialect) { d.Skip = new(int); r.whole(n, d.Skip, 0, 1_000_000) })
	answer("decimal", "`.` or `,`", "The mark before decimals; points, commas, blanks and apostrophes then stand between thousands.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.oneOf(n, &d.Decimal, []string{".", ","}, nil) })
	answer("dates", "`dmy` or `mdy`", "Whether the day or the month comes first in dates such as 01/02/2026, where no cell tells.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.oneOf(n, &d.Dates, []string{"dmy", "mdy"}, nil) })
	answer("missing", "a list of texts", "Cells that mean no value, instead of `NA`, `N/A`, `NULL`, `null`, `NaN`, `nan`, `?` and of guesses. An empty cell always does.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.texts(n, &d.Missing) })
	answer("booleans", "`true` or `false`", "Whether a column of words for true and false alone (yes and no, y and n, t and f, ja and nein, oui and non) holds `true` and `false`. Left out, it does where they are spelled in more than two ways.",
		func(r *reader, n ast.Node, d *data.Dialect) { d.Booleans = new(bool); r.boolean(n, d.Booleans) })
	answer("sheet", "a sheet's name", "Which sheet of a workbook is read. Left out, the first.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.text(n, &d.Sheet) })
	answer("range", "cells, as in `B3:F200`", "Which part of the sheet is read.",
		func(r *reader, n ast.Node, d *data.Dialect) { r.text(n, &d.Range) })

	add("data.contract", "a file", "",
		"A contract as `tandem contract` writes it, relative to the folder of the file: names, kinds, bounds, categories, missing rates and what is required. Training refuses data that break it, and the model carries it to production. `contract` below changes it further.",
		func(r *reader, n ast.Node, p *Project) { r.text(n, &p.Data.Contract) })

	add("clean", "a list of steps, each with one of `trim`, `merge`, `number`, `units`, `time`, `boolean`, `bounds`, `flag` and `duplicates`", "",
		"Repairs of the table, in order, as in `{merge: City, into: {NYC: [New York, nyc]}}`; the raw file is not changed. [preparing.md](preparing.md) says what each does, and `tandem prepare` shows what it would. Steps of one column are taken in production as well, by the same code.",
		func(r *reader, n ast.Node, p *Project) { r.clean(n, &p.Clean) })
	add("hypotheses", "a list of questions, each with one of `compare`, `associate`, `correlate`, `trend`, `spread`, `normal`, `proportion`, `paired`, `ab` and `survival`", "",
		"Questions to test before modelling, as in `{question: Do defaulters earn less?, compare: Income, between: Status}`; `question` is for people and may be left out. [hypotheses.md](hypotheses.md) says what each asks and how its test is chosen. P values are corrected for the length of the list by Holm's method.",
		func(r *reader, n ast.Node, p *Project) { r.hypotheses(n, &p.Hypotheses) })

	add("model.task", "`auto`, `binary` or `regression`", "auto",
		"What to predict: the probability of a class, or a number. `auto` takes binary for a target with two values and regression for a number.",
		func(r *reader, n ast.Node, p *Project) {
			r.oneOf(n, &p.Model.Task, []string{"auto", "binary", "regression"},
				[]string{"multiclass", "forecast", "segment", "recommend"})
		})
	add("model.metric", "`auto`, `auc`, `log_loss` or `rmse`", "auto",
		"By what candidates are ordered. `auto` is `auc` for binary and `rmse` for regression.",
		func(r *reader, n ast.Node, p *Project) {
			r.oneOf(n, &p.Model.Metric, []string{"auto", "auc", "log_loss", "rmse"}, nil)
		})
	add("model.budget", "a duration of at least 1s", "60s",
		"Wall time for the search. A search that it cuts short is recorded as incomplete.",
		func(r *reader, n ast.Node, p *Project) { r.duration(n, &p.Model.Budget, time.Second) })
	add("model.interpretable", "`true` or `false`", "false",
		"`true` considers only models that a person can read.",
		func(r *reader, n ast.Node, p *Project) { r.boolean(n, &p.Model.Interpretable) })
	add("model.target_statistics", "`true` or `false`", "true",
		"Trees see a column of 50 or more categories as the mean of the target for each, fitted without leakage. `false` leaves all categories as they are, for trees that are to be exported.",
		func(r *reader, n ast.Node, p *Project) { r.boolean(n, &p.Model.TargetStatistics) })
	later("model.max_latency", "a limit on the time of one row")
	later("model.monotone", "features with a forced direction")

	add("seed", "a whole number from 0", "1",
		"The root of all randomness: equal data, file, seed and version give an equal bundle, if the budget did not cut the search.",
		func(r *reader, n ast.Node, p *Project) { r.seed(n, &p.Seed) })

	cost := func(name, doc string, field func(*Cost) *float64) {
		add("decision.cost."+name, "a number from 0", "1", doc,
			func(r *reader, n ast.Node, p *Project) { r.number(n, field(&p.Decision.Cost), 0, math.MaxFloat64) })
	}
	cost("false_positive", "What deciding `positive` costs for a negative row. Only the ratio of the two costs matters; it sets the threshold.",
		func(c *Cost) *float64 { return &c.FalsePositive })
	cost("false_negative", "What deciding `negative` costs for a positive row.",
		func(c *Cost) *float64 { return &c.FalseNegative })
	add("decision.reasons", "a whole number from 0 to 10", "4",
		"How many reasons an answer carries at most.",
		func(r *reader, n ast.Node, p *Project) { r.whole(n, &p.Decision.Reasons, 0, 10) })
	add("decision.reason_texts", "a map from column to text", "",
		"The plain sentence for each column when it is a reason for `positive`. A reason for `negative` names the column and its value.",
		func(r *reader, n ast.Node, p *Project) { r.reasonTexts(n, &p.Decision.ReasonTexts) })

	add("gates", "a map from metric to a rule such as `\">= 0.80\"`", "",
		"Conditions that a model must meet on the holdout; otherwise the run ends with exit code 3. Metrics: "+code(gateMetrics)+". Rules use `>=`, `>`, `<=` or `<` and stand in quotes.",
		func(r *reader, n ast.Node, p *Project) { r.gates(n, &p.Gates) })
	add("contract", "a map from column to `{min, max, required}`", "",
		"Changes to the contract that was learned from the data: the bounds of a number, inclusive, and whether a value must be given.",
		func(r *reader, n ast.Node, p *Project) { r.edits(n, &p.Contract) })

	add("serve.address", "`host:port`", "127.0.0.1:8080",
		"Where the server listens. The default can be reached from this machine only.",
		func(r *reader, n ast.Node, p *Project) { r.address(n, &p.Serve.Address) })

	add("decisions.durability", "`os`, `disk` or `async`", "os",
		"When a decision counts as logged, and so is answered. `os`: it survives the end of the process, however it ends. `disk`: the loss of power as well, for one fsync more. `async`: at once; the end of the process may lose the last ones.",
		func(r *reader, n ast.Node, p *Project) {
			r.oneOf(n, &p.Decisions.Durability, []string{"os", "disk", "async"}, nil)
		})
	add("decisions.keep", "a duration of at least 1d", "",
		"How old decisions get before the log removes them, by whole segments: up to a twenty-fourth later. At least `monitor.maturity`. Left out, they are kept for ever.",
		func(r *reader, n ast.Node, p *Project) { r.duration(n, &p.Decisions.Keep, 24*time.Hour) })
	add("decisions.keep_inputs", "a duration of at least 1d", "",
		"How old they get before their content is erased: inputs, scores, reasons and outcomes. Ids and times stay as long as `decisions.keep` says. What is erased cannot be replayed, and nothing is learned from it any more. At least `monitor.maturity`.",
		func(r *reader, n ast.Node, p *Project) { r.duration(n, &p.Decisions.KeepInputs, 24*time.Hour) })
	add("decisions.parquet", "`true` or `false`", "false",
		"`true` rolls each segment of the log that is full into a Parquet file, for analysis.",
		func(r *reader, n ast.Node, p *Project) { r.boolean(n, &p.Decisions.Parquet) })

	add("monitor.window", "a duration, or a whole number of decisions from 10", "500",
		"How many decisions, or how long a time, make one comparison with the training data.",
		func(r *reader, n ast.Node, p *Project) { r.window(n, &p.Monitor.Window) })
	add("monitor.maturity", "a duration", "0s",
		"How old a decision must be before its outcome counts as known.",
		func(r *reader, n ast.Node, p *Project) { r.duration(n, &p.Monitor.Maturity, 0) })
	later("monitor.alert", "addresses to send alarms to")

	later("retrain.when", "conditions that start a retraining")
	add("retrain.gate.non_inferior", "a number from 0 below 1", "0.005",
		"How much of the metric a challenger may lose against the champion and still count as not worse.",
		func(r *reader, n ast.Node, p *Project) { r.number(n, &p.Retrain.Gate.NonInferior, 0, below1) })
	add("retrain.gate.confidence", "a number from 0.5 below 1", "0.95",
		"How sure that must be, one-sided.",
		func(r *reader, n ast.Node, p *Project) { r.number(n, &p.Retrain.Gate.Confidence, 0.5, below1) })
	later("retrain.rollout", "promotion in steps through shadow and canary")
	return ks
}

// below1 is the largest number below 1.
var below1 = math.Nextafter(1, 0)

// lookup returns the key of that path, or nil.
func lookup(path string) *key {
	for i := range keys {
		if keys[i].Path == path {
			return &keys[i]
		}
	}
	return nil
}

// children returns the distinct words that may follow a section, in order; ""
// is the top. Words that this version refuses are left out.
func children(section string) []string {
	var out []string
	for _, k := range keys {
		rest := k.Path
		if section != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(k.Path, section+"."); !ok {
				continue
			}
		}
		word, _, _ := strings.Cut(rest, ".")
		if k.Supported && (len(out) == 0 || out[len(out)-1] != word) {
			out = append(out, word)
		}
	}
	return out
}

func code(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }
