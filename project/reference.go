package project

import (
	"bytes"
	"fmt"
	"strings"
)

// Reference returns the page docs/project-file.md: what the file is for, an
// example, and every key with its values, default and effect.
func Reference() []byte {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	section := ""
	for _, k := range keys {
		if !k.Supported {
			continue
		}
		top, _, nested := strings.Cut(k.Path, ".")
		if !nested {
			top = "" // keys without a section stand where the file has them
		}
		if top != section || !nested {
			heading := top
			if !nested {
				heading = k.Path
			}
			fmt.Fprintf(&b, "\n## %s\n\n| key | value | default | meaning |\n| --- | --- | --- | --- |\n", heading)
			section = top
		}
		def := "none"
		if k.Default != "" {
			def = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Path, k.Value, def, k.Doc)
	}
	b.WriteString(referenceLater)
	for _, k := range keys {
		if !k.Supported {
			fmt.Fprintf(&b, "| `%s` | %s |\n", k.Path, k.Doc)
		}
	}
	return b.Bytes()
}

const referenceHead = `# The project file

<!-- Written by go test ./project -run TestReference -update from the table in project/keys.go. Edit that. -->

A project is a folder with a file ` + "`tandem.yaml`" + `. It says where the data is, what to predict, what a wrong decision
costs, and which conditions a model must meet. Only ` + "`data.source`" + ` and ` + "`data.target`" + ` must be given.
` + "`tandem init FILE`" + ` writes one from the data, with its guesses and the reason for each.

` + "```yaml" + `
` + ExampleFile + "```" + `

Rows may also come from a query over files, each of which is read as a source is. It sees these tables and nothing else
of the machine:

` + "```yaml" + `
data:
  sql: |
    SELECT l.*, c.income, avg(l.amount) OVER (PARTITION BY l.customer) AS usual
    FROM loans l LEFT JOIN customers c USING (customer) ORDER BY l.id
  files: {loans: data/loans-*.csv, customers: data/customers.xlsx}
  target: status
` + "```" + `

What ` + "`data.read`" + ` does not say is guessed from the file, and every guess is listed by ` + "`tandem explore`" + `; with ` + "`--strict`" + ` a
guess is an error. ` + "`data.read`" + ` is about files: in production a request carries numbers as JSON numbers, and times as
RFC 3339, whatever the marks of the training file; ` + "`tandem predict`" + ` reads its files as training does.

The file is checked as a whole: every problem is reported at once, with its line and column.

    tandem.yaml:7:3: unknown key "protcted"; did you mean "protected"?

Durations are numbers with a unit: ` + "`ms`, `s`, `m`, `h`, `d` (24 hours), `w`" + ` (7 days), also joined as in ` + "`1d12h`" + `. The file
is plain YAML of at most 1 MB, in UTF-8; anchors, aliases, merge keys and tags are refused, and so is a key that occurs
twice. A value that begins with one of ` + "`* & ! % @ > |`" + ` stands in quotes.
`

const referenceLater = `
## Words of other versions

These are known, and refused by this version with a message that says so.

| key | what it would be |
| --- | --- |
`

// ExampleFile is a complete project file, as the reference page shows it.
const ExampleFile = `name: credit
data:
  source: data/credit_data.csv
  target: Status
  positive: bad
  time: applied_at
  id: application_id
  group: customer_id
  exclude: [notes_internal]
  protected: [Age, Marital]
  read:
    encoding: utf-8
    delimiter: ";"
    quote: '"'
    escape: none
    header: true
    skip: 0
    decimal: ","
    dates: dmy
    missing: [NA, "-999"]
    booleans: true
    sheet: loans
    range: A1:N5000
clean:
  - {merge: Job, into: {fixed: [Fixed, "fixed "]}}
  - {bounds: Income, min: 0, otherwise: missing}
  - {flag: Income, outliers: iqr}
  - {duplicates: drop, by: [application_id]}
hypotheses:
  - {question: Do defaulters earn less?, compare: Income, between: Status}
  - {question: Is a record linked to default?, associate: [Records, Status]}
model:
  task: auto
  metric: auto
  budget: 60s
  interpretable: false
  target_statistics: true
seed: 1
decision:
  cost: {false_positive: 1, false_negative: 5}
  reasons: 4
  reason_texts: {Records: Previous payment defaults on record}
gates:
  auc: ">= 0.80"
  calibration_error: "<= 0.05"
contract:
  Income: {min: 0, max: 1000000, required: true}
serve: {address: "127.0.0.1:8080"}
decisions: {durability: os, keep: 730d, keep_inputs: 365d, parquet: true}
monitor: {window: 1d, maturity: 90d}
retrain:
  gate: {non_inferior: 0.005, confidence: 0.95}
`
