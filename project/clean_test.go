package project_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/project"
)

const cleanHead = "data: {source: a.csv, target: y}\n"

// What clean writes, the project file reads.
func TestCleanStepsRoundTrip(t *testing.T) {
	t.Parallel()
	low, high := -0.5, 1e21
	steps := []clean.Step{
		{Column: "City", Repair: data.Repair{Op: "merge", Into: map[string][]string{"New York": {"NYC", "new york ", `"ny"`, "*"}, "yes": {"Ja: x", "#1"}}}},
		{Column: "a: b", Repair: data.Repair{Op: "units", To: "°C", Decimal: ",", Otherwise: "reject"}},
		{Column: "null", Repair: data.Repair{Op: "bounds", Min: &low, Max: &high}},
		{Column: "Date", Repair: data.Repair{Op: "time", Form: "mdy"}},
		{Column: "x", Repair: data.Repair{Op: "boolean"}}, {Column: "x", Repair: data.Repair{Op: "trim"}},
		{Column: "Pay", Repair: data.Repair{Op: "flag"}, Outliers: "mad"},
		{Repair: data.Repair{Op: "duplicates"}}, {Repair: data.Repair{Op: "duplicates"}, By: []string{"id", "no."}},
	}
	p, err := project.Parse("tandem.yaml", []byte(cleanHead+clean.YAML(steps)))
	if err != nil {
		t.Fatalf("%v\n%s", err, clean.YAML(steps))
	}
	if !reflect.DeepEqual(p.Clean, steps) {
		t.Errorf("read\n%+v\nof\n%s", p.Clean, clean.YAML(steps))
	}
}

func TestCleanRefuses(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"{merge: City}":                         `tandem.yaml:3:5: merge needs "into"`,
		"{merge: City, into: {a: [b], b: [c]}}": `"b" is both a spelling`,
		"{units: W, to: stones of old}":         "is not a unit",
		"{units: W, too: kg}":                   `did you mean "to"`,
		"{time: D, form: dym}":                  "is not known here",
		"{trim: A, number: B}":                  "a step does one thing",
		"{trim: A, to: kg}":                     `"to" does not go with trim`,
		"{by: [a]}":                             "needs one of trim",
		"{bounds: A}":                           "give min, max or both",
		"{bounds: A, min: 2, max: 1}":           "above max",
		"{flag: A, outliers: sd}":               "is not known here",
		"trim":                                  "must be a list of",
	} {
		_, err := project.Parse("tandem.yaml", []byte(cleanHead+"clean:\n  - "+line+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "tandem.yaml:3:") {
			t.Errorf("%s: error %v, want one about %q", line, err, want)
		}
	}
}

func TestContractFile(t *testing.T) {
	t.Parallel()
	low, high := 0.0, 99.5
	c := data.Contract{Fields: []data.Field{
		{Name: "Age", Kind: data.Number, Role: data.Feature, Required: true, Min: &low, Max: &high},
		{Name: "a: b", Kind: data.Category, Role: data.Feature, Categories: []string{"no", "yes"}, Closed: true, MissingRate: 0.25},
		{Name: "y", Kind: data.Category, Role: data.Target},
	}}
	text := project.WriteContract(&c)
	f, err := project.ParseContract("contract.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	again := data.Contract{Fields: []data.Field{
		{Name: "Age", Kind: data.Number, Role: data.Feature},
		{Name: "a: b", Kind: data.Category, Role: data.Feature, Categories: []string{"maybe"}, MissingRate: 0.25},
		{Name: "y", Kind: data.Category, Role: data.Target},
	}}
	if err := f.Apply(&again); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("applied: %+v, want %+v", again, c)
	}

	for src, want := range map[string]string{
		"columns:\n  Age: {kind: numbr}":           `contract.yaml:2:15: "numbr" is not known here; did you mean "number"?`,
		"columns:\n  Age: {min: 3, max: 2}":        "contract.yaml:2:3: column \"Age\": min 3 is above max 2",
		"columns:\n  Age: {mni: 3}":                "contract.yaml:2:9: unknown",
		"columns:\n  Age: {other: refuse}":         "needs the categories",
		"rows: 1":                                  "contract.yaml:1:1: unknown",
		"columns:\n  Age: {kind: time}":            `contract.yaml:2:3: column "Age" must be a time, and in the data it is a number`,
		"columns:\n  Aeg: {kind: number}":          `contract.yaml:2:3: the data has no column "Aeg"; did you mean "Age"?`,
		"columns:\n  y: {role: feature}":           "make them one",
		"columns:\n  \"a: b\": {max_missing: 0.1}": "missing in 25.0% of the rows",
		"columns:\n  \"a: b\": {min: 1}":           "need a number column",
	} {
		f, err := project.ParseContract("contract.yaml", []byte(src))
		if err == nil {
			err = f.Apply(&again)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", src, err, want)
		}
	}
}
