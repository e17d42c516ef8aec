package clean

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"github.com/tandem-ml/tandem/data"
)

// YAML writes steps as the clean section of a project file.
func YAML(steps []Step) string {
	var b strings.Builder
	b.WriteString("clean:\n")
	for _, s := range steps {
		b.WriteString("  - " + s.Line() + "\n")
	}
	return b.String()
}

// Line writes the step on one line, as the project file has it:
// {units: Weight, to: kg}.
func (s Step) Line() string {
	subject := text(s.Column)
	if s.Op == "duplicates" {
		subject = "drop"
	}
	parts := []string{s.Op + ": " + subject}
	add := func(key, value string) { parts = append(parts, key+": "+value) }
	if len(s.Into) > 0 {
		var groups []string
		for _, value := range sortedKeys(s.Into) {
			groups = append(groups, text(value)+": "+list(s.Into[value]))
		}
		add("into", "{"+strings.Join(groups, ", ")+"}")
	}
	if s.By != nil {
		add("by", list(s.By))
	}
	for _, p := range []struct{ key, value string }{{"to", s.To}, {"form", s.Form}, {"decimal", s.Decimal}, {"outliers", s.Outliers}} {
		if p.value != "" {
			add(p.key, text(p.value))
		}
	}
	if s.Min != nil {
		add("min", data.FormatNumber(*s.Min))
	}
	if s.Max != nil {
		add("max", data.FormatNumber(*s.Max))
	}
	if s.Otherwise != "" {
		add("otherwise", s.Otherwise)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func list(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = text(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

var plain = regexp.MustCompile(`^[A-Za-z_]([A-Za-z0-9_ ]*[A-Za-z0-9_])?$`)

// text writes a text so that YAML reads it back: as it is where that is beyond
// doubt, else in double quotes, whose escapes JSON shares.
func text(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
	default:
		if plain.MatchString(s) {
			return s
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // a text always can be written
	}
	return strings.TrimSuffix(b.String(), "\n")
}
