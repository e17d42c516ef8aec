package project_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/project"
)

func ExampleParse() {
	p, err := project.Parse("credit/tandem.yaml", []byte(`
data:
  source: credit_data.csv
  target: Status
  positive: bad
decision:
  cost: {false_positive: 1, false_negative: 5}
gates:
  auc: ">= 0.80"
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Name, p.Data.Target, p.Model.Budget, p.Monitor.Window)
	fmt.Println(p.Gates[0].Metric, p.Gates[0].Rule(), p.Gates[0].Held(0.83))
	// Output:
	// credit Status 1m0s 500 decisions
	// auc >= 0.8 true
}

func ExampleParse_problems() {
	_, err := project.Parse("tandem.yaml", []byte(`
data:
  source: credit_data.csv
  target: Status
  protcted: [Age]
model: {budget: 60}
`))
	fmt.Println(err)
	// Output:
	// tandem.yaml:5:3: unknown key "protcted"; did you mean "protected"?
	// tandem.yaml:6:17: "60" has no unit; write 60s for seconds, or use ms, m, h, d, w
}

const full = `
name: credit-2
data:
  source: "data/*.csv"
  target: Status
  positive: 1
  time: applied_at
  id: application_id
  group: customer_id
  exclude: [notes_internal, "other: note"]
  protected: age
hypotheses:
  - {question: Do defaulters earn less?, compare: Income, between: Status}
  - associate: [Records, Status]
  - {compare: Income, between: Home, given: [Age]}
  - {ab: Paid, arm: Variant, control: old, pre: Before, share: 0.2}
  - {proportion: Status, is: bad, of: 0.3}
model:
  task: binary
  metric: log_loss
  budget: 1m30s
  interpretable: true
  target_statistics: false
seed: 18446744073709551615
decision:
  cost: {false_positive: 1, false_negative: 5.5}
  reasons: 0
  reason_texts: {Records: "Previous payment defaults on record"}
gates: {calibration_error: "<= 0.05", auc: ">0.8"}
contract:
  Income: {min: 0, max: 1e6}
  Debt: {required: false}
serve: {address: ":8080"}
decisions: {durability: disk, keep: 730d, keep_inputs: 26w, parquet: true}
monitor: {window: 1d, maturity: 90d}
retrain:
  gate: {non_inferior: 0, confidence: 0.9}
`

func TestEveryKeyIsRead(t *testing.T) {
	t.Parallel()
	got, err := project.Parse("tandem.yaml", []byte(full))
	if err != nil {
		t.Fatal(err)
	}
	zero, million, no := 0.0, 1e6, false
	want := project.Default()
	want.Dir = "."
	want.Name = "credit-2"
	want.Data = project.Data{Source: "data/*.csv", Target: "Status", Positive: "1", Time: "applied_at", ID: "application_id",
		Group: "customer_id", Exclude: []string{"notes_internal", "other: note"}, Protected: []string{"age"}}
	want.Hypotheses = []project.Hypothesis{
		{Question: "Do defaulters earn less?", Compare: "Income", Between: "Status"},
		{Question: "Are Records and Status linked?", Associate: []string{"Records", "Status"}},
		{Compare: "Income", Between: "Home", Given: []string{"Age"}},
		{AB: "Paid", Arm: "Variant", Control: "old", Pre: "Before", Share: 0.2},
		{Proportion: "Status", Is: "bad", Of: 0.3},
	}
	want.Model = project.Model{Task: "binary", Metric: "log_loss", Budget: 90 * time.Second, Interpretable: true}
	want.Seed = 1<<64 - 1
	want.Decision = project.Decision{Cost: project.Cost{FalsePositive: 1, FalseNegative: 5.5},
		ReasonTexts: map[string]string{"Records": "Previous payment defaults on record"}}
	want.Gates = []project.Gate{{Metric: "calibration_error", Op: "<=", Limit: 0.05}, {Metric: "auc", Op: ">", Limit: 0.8}}
	want.Contract = []project.Edit{{Column: "Income", Min: &zero, Max: &million}, {Column: "Debt", Required: &no}}
	want.Serve.Address = ":8080"
	want.Decisions = project.Decisions{Durability: "disk", Keep: 730 * 24 * time.Hour, KeepInputs: 182 * 24 * time.Hour, Parquet: true}
	want.Monitor = project.Monitor{Window: project.Window{Every: 24 * time.Hour}, Maturity: 90 * 24 * time.Hour}
	want.Retrain.Gate = project.RetrainGate{NonInferior: 0, Confidence: 0.9}
	check := func(name string, g, w any) {
		t.Helper()
		if !reflect.DeepEqual(g, w) {
			t.Errorf("%s: got %+v, want %+v", name, g, w)
		}
	}
	check("name", got.Name, want.Name)
	check("dir", got.Dir, want.Dir)
	check("data", got.Data, want.Data)
	check("hypotheses", got.Hypotheses, want.Hypotheses)
	check("model", got.Model, want.Model)
	check("seed", got.Seed, want.Seed)
	check("decision", got.Decision, want.Decision)
	check("gates", got.Gates, want.Gates)
	check("contract", got.Contract, want.Contract)
	check("serve", got.Serve, want.Serve)
	check("decisions", got.Decisions, want.Decisions)
	check("monitor", got.Monitor, want.Monitor)
	check("retrain", got.Retrain, want.Retrain)
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	p := project.Default()
	want := project.Project{
		Name:     "project",
		Model:    project.Model{Task: "auto", Metric: "auto", Budget: time.Minute, TargetStatistics: true},
		Seed:     1,
		Decision: project.Decision{Cost: project.Cost{FalsePositive: 1, FalseNegative: 1}, Reasons: 4},
		Serve:    project.Serve{Address: "127.0.0.1:8080"},

		Decisions: project.Decisions{Durability: "os"},

		Monitor: project.Monitor{Window: project.Window{Decisions: 500}},
		Retrain: project.Retrain{Gate: project.RetrainGate{NonInferior: 0.005, Confidence: 0.95}},
	}
	if !reflect.DeepEqual(*p, want) {
		t.Errorf("got %+v\nwant %+v", *p, want)
	}
}

// minimal is what every case below needs to be complete otherwise; a case's
// text follows it from line 2 on.
const minimal = "data: {source: a.csv, target: y}\n"

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, src, want string }{
		{"empty file", "", `tandem.yaml:1:1: "data.source" is missing: where the rows are, relative to the folder of the file: CSV, TSV, JSON, Parquet, Arrow or Excel, also compressed with gzip, zstd or zip
tandem.yaml:1:1: "data.target" is missing: the column to predict`},
		{"only a comment", "# nothing\n", `tandem.yaml:1:1: "data.source" is missing: where the rows are, relative to the folder of the file: CSV, TSV, JSON, Parquet, Arrow or Excel, also compressed with gzip, zstd or zip
tandem.yaml:1:1: "data.target" is missing: the column to predict`},
		{"no target", "data:\n  source: a.csv\n", `tandem.yaml:2:3: "data.target" is missing: the column to predict`},
		{"empty target", "data:\n  source: a.csv\n  target:\n", `tandem.yaml:3:11: there is no value here; give one or remove the key`},
		{"a list", "- a\n", "tandem.yaml:1:1: the file must be a list of `key: value` lines"},
		{"empty section", minimal + "model:\n", "tandem.yaml:2:8: model is empty; give it a value or remove it"},
		{"misspelt section", minimal + "modle: {budget: 1s}\n", `tandem.yaml:2:1: unknown key "modle"; did you mean "model"?`},
		{"key of another section", minimal + "budget: 1s\n", `tandem.yaml:2:1: unknown key "budget"; it belongs under "model"`},
		{"unlike anything", minimal + "zzz: 1\n", `tandem.yaml:2:1: unknown key "zzz"; the sections are name, data, clean, hypotheses, model, seed, decision, gates, contract, serve, decisions, monitor and retrain`},
		{"duplicate", minimal + "seed: 1\nseed: 2\n", `tandem.yaml:3:1: key "seed" occurs twice; the first is on line 2`},
		{"duplicate section", minimal + "data: {source: b.csv, target: y}\n", `tandem.yaml:2:1: key "data" occurs twice; the first is on line 1`},
		{"later key", minimal + "model:\n  max_latency: 2ms\n", `tandem.yaml:3:3: "model.max_latency" (a limit on the time of one row) is not supported by this version; model may have task, metric, budget, interpretable and target_statistics`},
		{"later section", minimal + "retrain: {when: [{every: 30d}], rollout: {canary: 10%}}\n",
			`tandem.yaml:2:11: "retrain.when" (conditions that start a retraining) is not supported by this version; retrain may have gate
tandem.yaml:2:33: "retrain.rollout" (promotion in steps through shadow and canary) is not supported by this version; retrain may have gate`},
		{"later task", minimal + "model: {task: multiclass}\n", `tandem.yaml:2:15: "multiclass" is not supported by this version; use auto, binary and regression`},
		{"misspelt task", minimal + "model: {task: binery}\n", `tandem.yaml:2:15: "binery" is not known here; did you mean "binary"?`},
		{"unknown metric", minimal + "model: {metric: accuracy}\n", `tandem.yaml:2:17: "accuracy" is not known here; use one of auto, auc, log_loss and rmse`},
		{"remote source", "data: {source: 'ftp://b/k', target: y}\n", `tandem.yaml:1:16: a source of "ftp://" is not supported by this version; copy the data to a file and name that`},
		{"SQL source", "data:\n  source: {sql: select 1}\n  target: y\n", `tandem.yaml:2:11: a query stands under data.sql, and its tables under data.files`},
		{"a query without tables", "data: {source: a.csv, sql: select 1, target: y}\n", `tandem.yaml:1:23: the query has no tables; name them in data.files, or a PostgreSQL server in data.source`},
		{"tables without a query", "data: {files: {a: a.csv}, target: y}\n", `tandem.yaml:1:8: data.files are the tables of a query; give it as data.sql`},
		{"a source and tables", "data: {source: b.csv, sql: select 1, files: {a: a.csv}, target: y}\n", `tandem.yaml:1:38: the rows come from data.source or from a query over data.files; remove one of them`},
		{"a table's name", "data: {sql: select 1, files: {1a: a.csv}, target: y}\n", `tandem.yaml:1:31: "1a" cannot be a table's name: use letters, digits and '_', and begin with a letter`},
		{"what reading guesses", "data:\n  source: a.csv\n  target: y\n  read: {delimiter: ab, decimal: x, missing: NA, dates: ymd}\n",
			`tandem.yaml:4:21: one character must stand here, such as ';', "\t" or '|'
tandem.yaml:4:34: "x" is not known here; use one of . and ,
tandem.yaml:4:46: a list must stand here, such as [NA, "-999"]
tandem.yaml:4:57: "ymd" is not known here; did you mean "dmy"?`},
		{"list for one value", "data: {source: [a.csv], target: y}\n", `tandem.yaml:1:16: one value must stand here, not a list or a map`},
		{"two parts", "data:\n  source: a.csv\n  target: y\n  exclude: [x, y]\n", `tandem.yaml:4:16: column "y" is already data.target on line 3; a column has one part`},
		{"twice in a list", "data:\n  source: a.csv\n  target: y\n  exclude: [x, x]\n", `tandem.yaml:4:16: data.exclude names "x" twice`},
		{"zero budget", minimal + "model: {budget: 0s}\n", `tandem.yaml:2:17: 0s is too short: at least 1s`},
		{"boolean", minimal + "model: {interpretable: yes}\n", `tandem.yaml:2:24: true or false must stand here`},
		{"negative seed", minimal + "seed: -1\n", `tandem.yaml:2:7: a whole number from 0 to 18446744073709551615 must stand here`},
		{"too many reasons", minimal + "decision: {reasons: 11}\n", `tandem.yaml:2:21: a whole number from 0 to 10 must stand here`},
		{"negative cost", minimal + "decision: {cost: {false_positive: -1}}\n", `tandem.yaml:2:35: -1 is out of range: it must be at least 0`},
		{"infinite cost", minimal + "decision: {cost: {false_positive: .inf}}\n", `tandem.yaml:2:35: a number must stand here`},
		{"no cost", minimal + "decision: {cost: {false_positive: 0, false_negative: 0}}\n", `tandem.yaml:2:12: decision.cost: both costs are 0, so every decision would be as good as any other; give at least one`},
		{"reason for a protected column", "data: {source: a, target: y, protected: [age]}\ndecision: {reason_texts: {age: Your age}}\n", `tandem.yaml:2:27: column "age" is data.protected and is never a reason; remove its text`},
		{"unknown gate", minimal + "gates: {acu: '>= 1'}\n", `tandem.yaml:2:9: unknown key "acu"; did you mean "auc"?`},
		{"gate without rule", minimal + "gates: {auc: 0.8}\n", `tandem.yaml:2:14: "0.8" is not a rule such as ">= 0.80": one of >=, >, <=, < and a number, in quotes`},
		{"gate of the other task", minimal + "model: {task: binary}\ngates: {rmse: '<= 1'}\n", `tandem.yaml:3:9: gates.rmse is a metric of regression, and model.task is binary`},
		{"positive of a regression", "data: {source: a, target: y, positive: bad}\nmodel: {task: regression}\n", `tandem.yaml:1:30: data.positive has no meaning with model.task: regression; remove one of them`},
		{"contradiction beside a mistake", "data: {source: a, target: y, id: y}\nmodel: {budget: x}\n", `tandem.yaml:1:34: column "y" is already data.target on line 1; a column has one part
tandem.yaml:2:17: "x" is not a duration such as 60s, 6h, 1d or 2w`},
		{"metric of the other task", minimal + "model: {task: regression, metric: auc}\n", `tandem.yaml:2:27: model.metric: auc needs a binary task; use rmse`},
		{"half a hypothesis", minimal + "hypotheses:\n  - compare: x\n", `tandem.yaml:3:5: compare needs between, as in {compare: Income, between: Status}`},
		{"no hypothesis", minimal + "hypotheses: [{question: Why?}]\n", `tandem.yaml:2:14: a hypothesis needs one of compare, associate, correlate, trend, spread, normal, proportion, paired, ab and survival, as in {compare: Income, between: Status}`},
		{"both hypotheses", minimal + "hypotheses: [{compare: x, between: y, associate: [x, y]}]\n", `tandem.yaml:2:14: a hypothesis asks one thing: either compare or associate`},
		{"three associates", minimal + "hypotheses: [{associate: [x, y, z]}]\n", `tandem.yaml:2:26: associate takes two columns, as in {associate: [Records, Status]}`},
		{"one paired", minimal + "hypotheses: [{paired: [x]}]\n", `tandem.yaml:2:23: paired takes two columns or more, as in {paired: [Before, After]}`},
		{"a key of another question", minimal + "hypotheses: [{normal: x, over: y}]\n", `tandem.yaml:2:32: over does not go with normal`},
		{"survival without event", minimal + "hypotheses: [{survival: x, between: y}]\n", `tandem.yaml:2:14: survival needs event and between, as in {survival: Months, event: Left, between: Plan}`},
		{"a share above one", minimal + "hypotheses: [{proportion: x, is: y, of: 30}]\n", `tandem.yaml:2:41: 30 is out of range: it must be from 0.0001 to 0.9999`},
		{"an unknown question", minimal + "hypotheses: [{trnd: x, over: y}]\n", `tandem.yaml:2:15: unknown key "trnd"; did you mean "trend"?`},
		{"crossed bounds", minimal + "contract: {x: {min: 2, max: 1}}\n", `tandem.yaml:2:15: contract.x: min 2 is above max 1`},
		{"unknown edit", minimal + "contract: {x: {mni: 2}}\n", `tandem.yaml:2:16: unknown key "mni"; did you mean "min"?`},
		{"address without port", minimal + "serve: {address: localhost}\n", `tandem.yaml:2:18: "localhost" is not an address of the form host:port, such as 127.0.0.1:8080`},
		{"unknown durability", minimal + "decisions: {durability: dsk}\n", `tandem.yaml:2:25: "dsk" is not known here; did you mean "disk"?`},
		{"kept for hours", minimal + "decisions: {keep: 12h}\n", `tandem.yaml:2:19: 12h is too short: at least 1d`},
		{"gone before it is known", minimal + "decisions: {keep: 30d, keep_inputs: 20d}\nmonitor: {maturity: 90d}\n", `tandem.yaml:2:13: decisions.keep is shorter than monitor.maturity, 90d: decisions would go before their outcome is known
tandem.yaml:2:24: decisions.keep_inputs is shorter than monitor.maturity, 90d: decisions would go before their outcome is known`},
		{"inputs of nothing", minimal + "decisions: {keep: 30d, keep_inputs: 60d}\n", `tandem.yaml:2:24: decisions.keep_inputs is longer than decisions.keep; what is removed keeps nothing`},
		{"tiny window", minimal + "monitor: {window: 5}\n", `tandem.yaml:2:19: a whole number of at least 10 must stand here`},
		{"wrong unit", minimal + "monitor: {window: 1y}\n", `tandem.yaml:2:19: "1y" is not a duration: the units are ms, s, m, h, d, w`},
		{"confidence of one", minimal + "retrain: {gate: {confidence: 1}}\n", `tandem.yaml:2:30: 1 is out of range: it must be at least 0.5 and below 1`},
		{"bad name", minimal + "name: a/b\n", `tandem.yaml:2:7: "a/b" cannot be a project's name: use letters, digits, '-', '_' and '.', at most 64`},
		{"all at once, in order", "nmae: x\ndata: {source: a.csv}\nseed: x\n", `tandem.yaml:1:1: unknown key "nmae"; did you mean "name"?
tandem.yaml:2:7: "data.target" is missing: the column to predict
tandem.yaml:3:7: a whole number from 0 to 18446744073709551615 must stand here`},
		{"anchor", minimal + "x: &a [1]\ny: *a\n", `tandem.yaml:2:4: "&" begins an anchor, an alias or a tag here, which a project file may not use; put the value in quotes, or write it out
tandem.yaml:3:4: "*" begins an anchor, an alias or a tag here, which a project file may not use; put the value in quotes, or write it out`},
		{"glob without quotes", "data: {source: *.csv, target: y}\n", `tandem.yaml:1:16: "*" begins an anchor, an alias or a tag here, which a project file may not use; put the value in quotes, or write it out`},
		{"tag", minimal + "seed: !!int 1\n", `tandem.yaml:2:7: "!!int" begins an anchor, an alias or a tag here, which a project file may not use; put the value in quotes, or write it out`},
		{"merge key", minimal + "<<: {seed: 1}\n", `tandem.yaml:2:1: merge keys are not allowed in a project file; write the values out`},
		{"two documents", minimal + "---\nseed: 1\n", `tandem.yaml:3:1: a second document begins here; a project file is one`},
		{"rule without quotes", minimal + "gates:\n  auc: >= 0.80\n", `tandem.yaml:3:8: is not valid YAML here: invalid header option: "= 0.80"; a rule stands in quotes: ">= 0.80"`},
		{"open bracket", "data: {source: a.csv\n", `tandem.yaml:1:7: is not valid YAML here: could not find flow mapping end token '}'`},
		{"not UTF-8", "name: \xff\n", `tandem.yaml:1:7: is not UTF-8 text; save the file as UTF-8`},
		{"zero byte", "name: a\x00\n", `tandem.yaml:1:8: holds a zero byte; it is not a text file`},
		{"deep", minimal + "x: " + strings.Repeat("[", 50000), `tandem.yaml:2:20: values are nested more than 16 deep`},
		{"deep list", strings.Repeat("- ", 50000), `tandem.yaml:1:33: values are nested more than 16 deep`},
		{"many keys", strings.Repeat("a: ", 50000), `tandem.yaml:1:30002: the file has more than 10000 keys`},
		{"too large", minimal + strings.Repeat("#", project.MaxSize), `tandem.yaml: is larger than 1 MB, which no project file is`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, err := project.Parse("tandem.yaml", []byte(c.src))
			if err == nil {
				t.Fatalf("got %+v, want the error\n%s", p, c.want)
			}
			if err.Error() != c.want {
				t.Errorf("got\n%v\nwant\n%s", err, c.want)
			}
			var problem *project.Problem
			if !errors.As(err, &problem) {
				t.Errorf("%T holds no *Problem", err)
			}
		})
	}
}

func TestSpellingsOfTheSame(t *testing.T) {
	t.Parallel()
	want, err := project.Parse("x/tandem.yaml", []byte("data:\n  source: a.csv\n  target: y\n  exclude: [a, b]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range map[string]string{
		"flow":           "data: {source: a.csv, target: y, exclude: [a, b]}",
		"quotes":         "\"data\":\n  'source': \"a.csv\"\n  target: 'y'\n  exclude:\n    - a\n    - \"b\"\n",
		"comments":       "# head\ndata: # here\n  # above\n  source: a.csv # beside\n  target: y\n  exclude: # list\n    - a # one\n    - b\n# end\n",
		"windows lines":  "data:\r\n  source: a.csv\r\n  target: y\r\n  exclude: [a, b]\r\n",
		"byte order":     "\xef\xbb\xbfdata:\n  source: a.csv\n  target: y\n  exclude: [a, b]\n",
		"document marks": "---\ndata:\n  source: a.csv\n  target: y\n  exclude: [a, b]\n...\n",
	} {
		got, err := project.Parse("x/tandem.yaml", []byte(src))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(got.Data, want.Data) || got.Name != "x" {
			t.Errorf("%s: got %+v, want %+v", name, got.Data, want.Data)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "my loans")
	if _, err := project.Load(dir); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "tandem.yaml") {
		t.Errorf("no folder: got %v, want an error that is ErrNotExist and names tandem.yaml", err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var hint *data.Hinted
	if _, err := project.Load(dir); !errors.As(err, &hint) || !strings.Contains(hint.Hint, "tandem init") {
		t.Errorf("no file: got %v, want a hint at tandem init", err)
	}
	path := filepath.Join(dir, "tandem.yaml")
	if err := os.WriteFile(path, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := project.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if p.Name != "my-loans" || p.Dir != dir {
		t.Errorf("got name %q, dir %q; want my-loans, %q", p.Name, p.Dir, dir)
	}
	if err := os.WriteFile(path, []byte(minimal+"name: project\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := project.Load(dir); err != nil || p.Name != "project" {
		t.Errorf("named: %+v, %v", p, err)
	}
	if err := os.WriteFile(path, make([]byte, project.MaxSize+10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := project.Load(dir); err == nil || !strings.Contains(err.Error(), "larger than 1 MB") {
		t.Errorf("too large: got %v", err)
	}
}

func TestTheExampleProjects(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../examples/*/tandem.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no example projects: %v", err)
	}
	for _, f := range files {
		if _, err := project.Load(filepath.Dir(f)); err != nil {
			t.Error(err)
		}
	}
}

func TestCheckColumns(t *testing.T) {
	t.Parallel()
	p, err := project.Parse("tandem.yaml", []byte("data:\n  source: a.csv\n  target: Status\n  exclude: [notes]\nhypotheses:\n  - {compare: Incme, between: Status}\ncontract: {Age: {min: 0}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckColumns([]string{"Status", "notes", "Incme", "Age"}); err != nil {
		t.Errorf("all exist: %v", err)
	}
	got := p.CheckColumns([]string{"status", "notes", "Income"})
	want := `tandem.yaml:3:11: data.target: the data has no column "Status"; did you mean "status"?
tandem.yaml:6:15: hypotheses: the data has no column "Incme"; did you mean "Income"?
tandem.yaml:6:31: hypotheses: the data has no column "Status"; did you mean "status"?
tandem.yaml:7:12: contract: the data has no column "Age"`
	if got == nil || got.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	p, err := project.Parse("tandem.yaml", []byte(minimal+"contract: {x: {min: 0, required: true}, y: {required: false}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	low, high := -10.0, 20.0
	c := data.Contract{Fields: []data.Field{
		{Name: "x", Kind: data.Number, Role: data.Feature, Min: &low, Max: &high},
		{Name: "y", Kind: data.Category, Role: data.Target, Required: true},
	}}
	if err := p.Apply(&c); err != nil {
		t.Fatal(err)
	}
	if x := c.Field("x"); *x.Min != 0 || *x.Max != 20 || !x.Required || c.Field("y").Required {
		t.Errorf("got %+v", c.Fields)
	}
	for name, bad := range map[string]data.Contract{
		"no such column":  {Fields: []data.Field{{Name: "y", Kind: data.Category}}},
		"not a number":    {Fields: []data.Field{{Name: "x", Kind: data.Category}, {Name: "y", Kind: data.Category}}},
		"crossed by half": {Fields: []data.Field{{Name: "x", Kind: data.Number, Max: &low}, {Name: "y", Kind: data.Category}}},
	} {
		before := fmt.Sprint(bad)
		if err := p.Apply(&bad); err == nil || !strings.Contains(err.Error(), "contract.x") {
			t.Errorf("%s: got %v, want an error naming contract.x", name, err)
		}
		if fmt.Sprint(bad) != before {
			t.Errorf("%s: the contract was changed: %s, was %s", name, fmt.Sprint(bad), before)
		}
	}
}

func TestGateHeld(t *testing.T) {
	t.Parallel()
	nan := func() float64 { z := 0.0; return z / z }()
	for _, c := range []struct {
		op    string
		value float64
		want  bool
	}{
		{">=", 0.8, true}, {">", 0.8, false}, {"<=", 0.8, true}, {"<", 0.8, false},
		{">=", 0.79, false}, {">", 0.81, true}, {"<=", 0.81, false}, {"<", 0.79, true},
		{">=", nan, false}, {"<=", nan, false}, {"", 0.8, false},
	} {
		if got := (project.Gate{Op: c.op, Limit: 0.8}).Held(c.value); got != c.want {
			t.Errorf("%v %s 0.8: got %v", c.value, c.op, got)
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"0": 0, "0s": 0, "60s": time.Minute, "1d": 24 * time.Hour, "2w": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour,
		"1.5h": 90 * time.Minute, "500ms": 500 * time.Millisecond, "1m": time.Minute, "0.1s": 100 * time.Millisecond,
	} {
		if got, err := project.ParseDuration(s); err != nil || got != want {
			t.Errorf("%q: got %v, %v; want %v", s, got, err, want)
		}
	}
	for _, s := range []string{"", "5", "s", "-1s", "+1s", "1 s", "1..2s", ".s", "1e3s", "1y", "1s2", "300y", "20000w", "99999999999999999999h", "1sd", "\u06601s"} {
		if got, err := project.ParseDuration(s); err == nil {
			t.Errorf("%q: got %v, want an error", s, got)
		}
	}
	for _, d := range []time.Duration{0, time.Millisecond, time.Second, 90 * time.Minute, 24 * time.Hour, 90 * 24 * time.Hour, 21 * 24 * time.Hour, 100000*time.Hour + time.Millisecond} {
		if got, err := project.ParseDuration(project.FormatDuration(d)); err != nil || got != d {
			t.Errorf("%v: written as %q, read as %v, %v", d, project.FormatDuration(d), got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(minimal + "gates:\n  auc: >= 0.8\n"))
	f.Add([]byte("a: &a [*a]\n? x\n: y\n--- |\n foo\n"))
	f.Add([]byte("data:\n\t- {}: []\n'': !!x \"\\u0041\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		p, err := project.Parse("tandem.yaml", src)
		if (p == nil) == (err == nil) {
			t.Fatalf("got %v, %v: exactly one must be nil", p, err)
		}
		if err == nil && (p.Data.Source == "" || p.Data.Target == "") {
			t.Errorf("accepted without source or target: %+v", p.Data)
		}
	})
}
