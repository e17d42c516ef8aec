package workflow

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ml/tandem/engineering/decisions"
)

func TestDecisions(t *testing.T) {
	t.Parallel()
	d, err := OpenDecisions(t.Context(), lived(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	where := func(text string) []decisions.Condition {
		c, err := decisions.ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		return []decisions.Condition{c}
	}
	keys := func(where []decisions.Condition, most int) (list []string) {
		if err := d.Select(t.Context(), where, most, func(e decisions.Entry) error {
			list = append(list, e.Key)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return list
	}
	all := keys(nil, 0)
	if len(all) != livedRows || !slices.Equal(keys(nil, 7), all[livedRows-7:]) || !slices.Equal(keys(nil, 10*livedRows), all) {
		t.Errorf("%d decisions, the last %v", len(all), keys(nil, 7))
	}
	sure := keys(where("score>=0.5"), 0)
	if len(sure) == 0 || len(sure) == len(all) || len(sure)+len(keys(where("score<0.5"), 0)) != len(all) {
		t.Errorf("%d of %d have a score of at least a half", len(sure), len(all))
	}
	r, err := d.Replay(t.Context(), where("score>=0.5"))
	if err != nil || r.Equal != int64(len(sure)) || r.Failed != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A decision that no bundle has made is told by its id.
func TestReplayFindsOthers(t *testing.T) {
	t.Parallel()
	dir := copied(t, trainedOnce)
	forged := ""
	if err := inService(dir, func(s *service) error {
		at := time.Now()
		d := decisions.Decision{ID: s.log.NewID(at), Time: at, Project: "loans", Bundle: s.champion.Bundle, Inputs: after(historyRows, 1)[0].JSON(), Score: 0.123}
		forged = d.ID
		return s.log.Append(t.Context(), d)
	}); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDecisions(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	r, err := d.Replay(t.Context(), nil)
	if !errors.Is(err, ErrNotHeld) || r.Failed != 1 || !slices.Equal(r.Different, []string{forged}) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := OpenDecisions(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "tandem.yaml") {
		t.Errorf("no project: %v", err)
	}
}
