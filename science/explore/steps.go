package explore

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
)

// step is a setting of tandem.yaml that an alert proposes.
type step struct {
	exclude, id, group, time string // columns
	clean                    []clean.Step
}

// yaml writes the step as text for tandem.yaml; "" if there is none.
func (s step) yaml() string { return settings([]step{s}) }

// together writes the steps of all alerts as one text. Where one column is
// named for two roles the first, that is the more severe, wins.
func together(alerts []Alert) string {
	var steps []step
	for _, a := range alerts {
		if a.Severity != "low" {
			steps = append(steps, a.step)
		}
	}
	return settings(steps)
}

func settings(steps []step) string {
	var exclude []string
	var id, group, time string
	used := map[string]bool{}
	take := func(name string) bool {
		if name == "" || used[name] {
			return false
		}
		used[name] = true
		return true
	}
	for _, s := range steps {
		if take(s.exclude) {
			exclude = append(exclude, s.exclude)
		}
		for _, r := range []struct {
			name string
			to   *string
		}{{s.id, &id}, {s.group, &group}, {s.time, &time}} {
			switch {
			case r.name == "" || *r.to != "" && r.to != &id:
			case *r.to != "": // one id is enough; another is left out
				if take(r.name) {
					exclude = append(exclude, r.name)
				}
			case take(r.name):
				*r.to = r.name
			}
		}
	}
	var b strings.Builder
	for _, r := range []struct{ key, name string }{{"id", id}, {"group", group}, {"time", time}} {
		if r.name != "" {
			b.WriteString("  " + r.key + ": " + yamlName(r.name) + "\n")
		}
	}
	if len(exclude) > 0 {
		slices.Sort(exclude)
		exclude = slices.Compact(exclude)
		for i, n := range exclude {
			exclude[i] = yamlName(n)
		}
		b.WriteString("  exclude: [" + strings.Join(exclude, ", ") + "]\n")
	}
	out := ""
	if b.Len() > 0 {
		out = "data:\n" + b.String()
	}
	var cleaning []clean.Step
	for _, s := range steps {
		cleaning = append(cleaning, s.clean...)
	}
	if cleaning != nil {
		out += clean.YAML(cleaning)
	}
	return out
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// yamlName writes a column's name so that YAML reads it back as that text.
func yamlName(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return strconv.Quote(s)
	}
	if plainName.MatchString(s) {
		return s
	}
	// Go's quoting is YAML's but for \x of invalid bytes, which cannot be a
	// name there anyway.
	return strconv.Quote(strings.ToValidUTF8(s, "\uFFFD"))
}

// merging is the step that makes spellings one: the most frequent of each group
// in case and white space. Personal values are not written out.
func merging(col *data.Column, show func(column, value string) string) step {
	count := make([]int, len(col.Dict))
	for _, code := range col.Codes {
		if code >= 0 {
			count[code]++
		}
	}
	best := map[string]int{} // spelled alike -> the most frequent
	for k, v := range col.Dict {
		if show(col.Name, v) != v {
			return step{}
		}
		key := alike(v)
		if b, known := best[key]; !known || count[k] > count[b] {
			best[key] = k
		}
	}
	into := map[string][]string{}
	for k, v := range col.Dict {
		if b := best[alike(v)]; b != k {
			into[col.Dict[b]] = append(into[col.Dict[b]], v)
		}
	}
	if len(into) == 0 {
		return step{}
	}
	return step{clean: []clean.Step{{Column: col.Name, Repair: data.Repair{Op: "merge", Into: into}}}}
}

// alike is a value in lower case with single blanks.
func alike(v string) string { return strings.ToLower(strings.Join(strings.Fields(v), " ")) }
