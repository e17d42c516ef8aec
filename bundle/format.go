package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/bundle/step"
	"github.com/tandem-ml/tandem/data"
)

// FormatVersion is the version of the file format that this program writes,
// and the newest it reads.
const FormatVersion = 1

// Limits of single entries; the whole file is bounded by [MaxFileSize].
const (
	maxJSON      = 64 << 20
	maxSignature = 64 << 10
)

// The entries of a file in their order. The signature is optional.
const (
	manifestEntry    = "manifest.json"
	contractEntry    = "contract.json"
	stepsEntry       = "steps.json"
	modelEntry       = "model.bin"
	calibrationEntry = "calibration.json"
	profileEntry     = "profile.json"
	cardEntry        = "card.json"
	testsEntry       = "tests.json"
	signatureEntry   = "signature"
)

var entryOrder = []string{
	manifestEntry, contractEntry, stepsEntry, modelEntry, calibrationEntry,
	profileEntry, cardEntry, testsEntry, signatureEntry,
}

// What calibration.json, profile.json and tests.json hold.
type (
	calibrationPart struct {
		Calibration Calibration `json:"calibration"`
		Decision    Decision    `json:"decision"`
	}
	profilePart struct {
		Table  data.Profile        `json:"table"`
		Scores *data.ColumnProfile `json:"scores,omitempty"` // nil if no holdout was scored
	}
	testPart struct {
		Row    []exact `json:"row"`
		Margin exact   `json:"margin"`
		Score  exact   `json:"score"`
	}
)

// exact is a float64 as the shortest decimal text that reads back as the same
// bits; "NaN", "+Inf" and "-Inf", which JSON has no numbers for, among them.
type exact float64

// MarshalText writes the text.
func (x exact) MarshalText() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(x), 'g', -1, 64), nil
}

// UnmarshalText accepts only what MarshalText writes.
func (x *exact) UnmarshalText(b []byte) error {
	v, err := strconv.ParseFloat(string(b), 64)
	if err != nil {
		return fmt.Errorf("%q is not a number", b)
	}
	*x = exact(v)
	if again, _ := x.MarshalText(); !bytes.Equal(again, b) {
		return fmt.Errorf("%q is not the shortest text of its number", b)
	}
	return nil
}

// New checks the parts of a bundle and returns the bundle as [Decode] would
// read it from a file: what was trained is what will be served. Manifest.Format
// and Manifest.Members are filled in if they are zero. The parts are copied.
//
// It returns an error naming the part that is wrong; see [Decode].
func New(b Bundle) (*Bundle, error) {
	if b.Manifest.Format == 0 {
		b.Manifest.Format = FormatVersion
	}
	if b.Manifest.Members == nil {
		for _, m := range b.Members {
			b.Manifest.Members = append(b.Manifest.Members, MemberInfo{m.Learner, m.Weight, m.Output})
		}
	}
	raw, err := Encode(&b)
	if err != nil {
		return nil, err
	}
	return Decode(raw)
}

// Encode returns the bundle as the bytes of a file. Equal bundles give equal
// bytes. It returns an error if the bundle would not load again: a part that
// contradicts another, a statistic that is NaN or infinite, a part beyond its
// limit.
func Encode(b *Bundle) ([]byte, error) {
	if _, err := b.check(); err != nil {
		return nil, err
	}
	entries, err := b.entries()
	if err != nil {
		return nil, err
	}
	return archive(entries)
}

// entries writes the parts.
func (b *Bundle) entries() ([]entry, error) {
	plans := make([]step.Plan, len(b.Members))
	for i := range b.Members {
		plans[i] = b.Members[i].Plan
	}
	tests := make([]testPart, len(b.Tests))
	for i, t := range b.Tests {
		tests[i] = testPart{Row: make([]exact, len(t.Row)), Margin: exact(t.Margin), Score: exact(t.Score)}
		for j, x := range t.Row {
			tests[i].Row[j] = exact(x)
		}
	}
	profiles := profilePart{Table: b.Profile}
	if b.Scores.Kind != 0 {
		profiles.Scores = &b.Scores
	}
	parts := map[string]any{
		manifestEntry:    b.Manifest,
		contractEntry:    b.Contract,
		stepsEntry:       plans,
		calibrationEntry: calibrationPart{b.Calibration, b.Decision},
		profileEntry:     profiles,
		cardEntry:        b.Card,
		testsEntry:       tests,
	}
	var out []entry
	for _, name := range entryOrder {
		e := entry{name: name}
		switch name {
		case modelEntry:
			e.data = encodeModel(b.Members)
		case signatureEntry:
			if b.Signature == nil {
				continue
			}
			e.data = b.Signature
		default:
			text, err := json.Marshal(parts[name])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			e.data = text
		}
		if limit := entryLimit(name); len(e.data) > limit {
			return nil, fmt.Errorf("%s needs %d bytes, and %d is the limit", name, len(e.data), limit)
		}
		out = append(out, e)
	}
	return out, nil
}

func entryLimit(name string) int {
	switch name {
	case modelEntry:
		return MaxFileSize
	case signatureEntry:
		return maxSignature
	}
	return maxJSON
}

// Decode reads a bundle from the bytes of a file, which it does not keep. It
// refuses, with an error that names the entry, everything that [Encode] would
// not have written: another archive layout, unknown, missing, repeated or
// damaged entries, unknown JSON fields, a newer format, parts that contradict
// one another, and test rows that this program does not score bit for bit as
// the bundle says.
func Decode(src []byte) (*Bundle, error) {
	entries, err := unarchive(src)
	if err != nil {
		return nil, err
	}
	if err := checkVersion(entries[0]); err != nil {
		return nil, err
	}
	part, err := byName(entries)
	if err != nil {
		return nil, err
	}
	b := &Bundle{}
	var plans []step.Plan
	var decided calibrationPart
	var profiles profilePart
	var tests []testPart
	for _, p := range []struct {
		name string
		into any
	}{
		{manifestEntry, &b.Manifest}, {contractEntry, &b.Contract}, {stepsEntry, &plans},
		{calibrationEntry, &decided}, {profileEntry, &profiles}, {cardEntry, &b.Card}, {testsEntry, &tests},
	} {
		if err := strictJSON(part[p.name], p.into); err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.Calibration, b.Decision = decided.Calibration, decided.Decision
	b.Profile = profiles.Table
	if profiles.Scores != nil {
		b.Scores = *profiles.Scores
	}
	b.Signature = slices.Clone(part[signatureEntry])
	b.Tests = make([]TestRow, len(tests))
	for i, t := range tests {
		b.Tests[i] = TestRow{Row: make([]float64, len(t.Row)), Margin: float64(t.Margin), Score: float64(t.Score)}
		for j, x := range t.Row {
			b.Tests[i].Row[j] = float64(x)
		}
	}
	if len(plans) != len(b.Manifest.Members) {
		return nil, fmt.Errorf("%s has %d plans, the manifest %d members", stepsEntry, len(plans), len(b.Manifest.Members))
	}
	for i, m := range b.Manifest.Members {
		b.Members = append(b.Members, Member{Learner: m.Learner, Weight: m.Weight, Output: m.Output, Plan: plans[i]})
	}
	if err := decodeModel(part[modelEntry], b.Members); err != nil {
		return nil, fmt.Errorf("%s: %w", modelEntry, err)
	}
	model, err := b.check()
	if err != nil {
		return nil, err
	}
	b.Model = *model
	b.id = identity(entries)
	return b, nil
}

// checkVersion reads the format version before anything else is judged, since
// a newer format may have other entries and fields.
func checkVersion(first entry) error {
	if first.name != manifestEntry {
		return fmt.Errorf("the file is not a bundle: its first entry is %q, not %q", first.name, manifestEntry)
	}
	var v struct {
		Format   int    `json:"format"`
		Producer string `json:"producer"`
	}
	if len(first.data) > maxJSON {
		return fmt.Errorf("%s has %d bytes, and %d is the limit", manifestEntry, len(first.data), maxJSON)
	}
	if err := json.Unmarshal(first.data, &v); err != nil {
		return fmt.Errorf("%s: %w", manifestEntry, err)
	}
	switch {
	case v.Format > FormatVersion:
		return data.WithHint(
			fmt.Errorf("the bundle was made by a newer Tandem (%q, format %d; this program reads up to %d)", v.Producer, v.Format, FormatVersion),
			"upgrade tandem, or train again with this version")
	case v.Format < 1:
		return fmt.Errorf("%s: format %d does not exist", manifestEntry, v.Format)
	}
	return nil
}

// byName checks names, order and sizes of the entries.
func byName(entries []entry) (map[string][]byte, error) {
	part := make(map[string][]byte, len(entries))
	next := 0
	for _, e := range entries {
		at := slices.Index(entryOrder, e.name)
		switch {
		case at < 0:
			return nil, fmt.Errorf("entry %q does not belong in a bundle", e.name)
		case at < next:
			return nil, fmt.Errorf("entry %q is out of order", e.name)
		case len(e.data) > entryLimit(e.name):
			return nil, fmt.Errorf("entry %q has %d bytes, and %d is the limit", e.name, len(e.data), entryLimit(e.name))
		}
		next = at + 1
		part[e.name] = e.data
	}
	for _, name := range entryOrder {
		if part[name] == nil && name != signatureEntry {
			return nil, fmt.Errorf("entry %q is absent", name)
		}
	}
	return part, nil
}

// strictJSON reads one JSON value: valid UTF-8, no unknown fields, no name
// twice in an object, nothing behind.
func strictJSON(src []byte, into any) error {
	if !utf8.Valid(src) {
		return fmt.Errorf("is not valid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(src))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("has text after the JSON value")
	}
	return uniqueNames(src)
}

// uniqueNames returns an error if an object in src, which is valid JSON, has a
// name twice.
func uniqueNames(src []byte) error {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	type level struct {
		names map[string]bool // nil in an array
		value bool            // a name was read, its value comes next
	}
	var stack []level
	for {
		token, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		var top *level
		if len(stack) > 0 {
			top = &stack[len(stack)-1]
		}
		if name, ok := token.(string); ok && top != nil && top.names != nil && !top.value {
			if top.names[name] {
				return fmt.Errorf("name %q occurs twice in an object", name)
			}
			top.names[name], top.value = true, true
			continue
		}
		if top != nil {
			top.value = false
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{names: make(map[string]bool)})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
	}
}

// ID returns the bundle's identity: 64 hexadecimal digits, the SHA-256 of its
// list of entries without the signature. Equal bundles have equal ids. It is
// "" for a bundle that came neither from [New] nor from [Decode].
func (b *Bundle) ID() string { return b.id }

// identity hashes the lines "sha256(entry)  name\n", sorted by name: what
// `sha256sum * | sha256sum` gives for the unpacked entries.
func identity(entries []entry) string {
	sorted := slices.Clone(entries)
	slices.SortFunc(sorted, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	h := sha256.New()
	for _, e := range sorted {
		if e.name != signatureEntry {
			fmt.Fprintf(h, "%x  %s\n", sha256.Sum256(e.data), e.name)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
