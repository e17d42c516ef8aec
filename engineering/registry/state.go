package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// state is what versions and aliases there are, by a text that names each. It
// is derived twice, from the events and from the tables, and compared.
type state map[string]string

func versionName(project string, number int) string {
	return fmt.Sprintf("version %d of project %q", number, project)
}

func aliasName(project, alias string) string {
	return fmt.Sprintf("alias %q of project %q", alias, project)
}

// pointsAt is what an alias is set to.
func pointsAt(version int, percent float64) string {
	if percent == 0 {
		return nameOf(version)
	}
	return fmt.Sprintf("%s at %v%%", nameOf(version), percent)
}

// apply takes in what an event tells.
func (s state) apply(e Event) error {
	switch e.Kind {
	case EventVersion:
		var f versionFacts
		if err := json.Unmarshal(e.Facts, &f); err != nil {
			return fmt.Errorf("%w: event %d: %v", ErrTampered, e.Seq, err)
		}
		s[versionName(e.Project, f.Version)] = f.Bundle + " " + f.SHA256
	case EventAlias:
		var f aliasFacts
		if err := json.Unmarshal(e.Facts, &f); err != nil {
			return fmt.Errorf("%w: event %d: %v", ErrTampered, e.Seq, err)
		}
		s[aliasName(e.Project, f.Alias)] = pointsAt(f.Version, f.Percent)
	}
	return nil
}

// stateOf reads the tables.
func stateOf(ctx context.Context, q querier) (state, error) {
	s := state{}
	add := func(name func(string, int, string, float64) (string, string)) func(func(...any) error) (struct{}, error) {
		return func(row func(...any) error) (struct{}, error) {
			var project, text string
			var number int
			var percent float64
			err := row(&project, &number, &text, &percent)
			key, value := name(project, number, text, percent)
			s[key] = value
			return struct{}{}, err
		}
	}
	_, err := collect(ctx, q, add(func(project string, number int, bundle string, _ float64) (string, string) {
		return versionName(project, number), bundle
	}), `SELECT v.project, v.number, v.bundle_id || ' ' || b.sha256, 0 FROM version v JOIN bundle b ON b.id = v.bundle_id`)
	if err != nil {
		return nil, err
	}
	_, err = collect(ctx, q, add(func(project string, number int, alias string, percent float64) (string, string) {
		return aliasName(project, alias), pointsAt(number, percent)
	}), `SELECT project, version, alias, percent FROM alias_change ORDER BY seq`)
	return s, err
}

// compare returns the first difference, by name.
func (s state) compare(found state) error {
	names := slices.Sorted(maps.Keys(s))
	for name := range found {
		if _, told := s[name]; !told {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		told, known := s[name]
		is, there := found[name]
		switch {
		case !known:
			return fmt.Errorf("%w: no event tells of %s", ErrTampered, name)
		case !there:
			return fmt.Errorf("%w: %s is gone", ErrTampered, name)
		case told != is:
			return fmt.Errorf("%w: %s is not what its event says", ErrTampered, name)
		}
	}
	return nil
}
