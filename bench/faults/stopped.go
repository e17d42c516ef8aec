package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/tandem-ml/tandem/bench/live"
	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

var missing = regexp.MustCompile(`(\d+) acknowledged records are missing`)

// log damages the log of a stopped process: a bit is turned, or a file is cut, at
// random places. Verification must find it. Then the process either refuses to
// start, or says how many acknowledged records are missing, and all others are there.
func (f *faults) log(ctx context.Context, dir string) (string, error) {
	s, err := f.tandem.Up(ctx, dir, nil)
	if err != nil {
		return "", err
	}
	defer s.Kill()
	load := f.load(s, 8, nil)
	if err := more(load, 400); err != nil {
		return "", err
	}
	answered, err := load.Stop()
	if err != nil {
		return "", err
	}
	if _, err := f.kept(ctx, s, answered); err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(live.LogDir(dir), "*.seg"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("the log has no segments: %v", err)
	}
	files = append(files, filepath.Join(live.LogDir(dir), "head"))
	refused, told, lost := 0, 0, 0
	for round := range f.rounds {
		file := files[f.rng.IntN(len(files))]
		if round%4 > 0 {
			file = files[f.rng.IntN(len(files)-1)]
		}
		whole, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		at := f.rng.IntN(len(whole))
		damaged := append([]byte(nil), whole[:at]...)
		what := fmt.Sprintf("%s cut at byte %d of %d", filepath.Base(file), at, len(whole))
		if round%2 == 0 {
			damaged = append([]byte(nil), whole...)
			damaged[at] ^= 1 << f.rng.IntN(8)
			what = fmt.Sprintf("%s with a bit of byte %d of %d turned", filepath.Base(file), at, len(whole))
		}
		copied := filepath.Join(f.dir, fmt.Sprintf("log-%d", round))
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(live.LogDir(copied), filepath.Base(file)), damaged, 0o600); err != nil {
			return "", err
		}
		if out, err := f.tandem.Do(ctx, "verify", copied); err == nil {
			return "", fmt.Errorf("%s: verify finds nothing: %s", what, out)
		}
		s, err := f.tandem.Up(ctx, copied, nil)
		if err != nil {
			if ctx.Err() != nil {
				return "", err
			}
			refused++ // and changes nothing
			left, err := os.ReadFile(filepath.Join(live.LogDir(copied), filepath.Base(file)))
			if err != nil || string(left) != string(damaged) {
				return "", fmt.Errorf("%s: the start was refused and the file changed (%v)", what, err)
			}
		} else {
			defer s.Kill()
			client := live.NewClient(s.Address, "credit")
			a, _, err := client.Score(f.bodies(0))
			client.Close()
			if err != nil {
				return "", fmt.Errorf("%s: %w", what, err)
			}
			if err := s.Stop(); err != nil {
				return "", fmt.Errorf("%s: %w", what, err)
			}
			gone, err := f.gone(ctx, copied, append([]live.Answer{a}, answered...))
			if err != nil {
				return "", fmt.Errorf("%s: %w", what, err)
			}
			said := 0
			if m := missing.FindStringSubmatch(s.Said()); m != nil {
				said, _ = strconv.Atoi(m[1])
			}
			if gone != said {
				return "", fmt.Errorf("%s: %d answered decisions are gone, and the start said that %d are", what, gone, said)
			}
			told, lost = told+1, lost+gone
			if out, err := f.tandem.Do(ctx, "verify", copied); err != nil {
				return "", fmt.Errorf("%s: after the start that mended it: %w %s", what, err, out)
			}
		}
		os.RemoveAll(copied)
	}
	return fmt.Sprintf("%d damages, each found by verify; %d starts refused with the file unchanged, %d went on and named all %d missing records", f.rounds, refused, told, lost), nil
}

// gone counts the answered decisions that the log has not; those that it has are
// as they were answered.
func (f *faults) gone(ctx context.Context, dir string, answered []live.Answer) (n int, err error) {
	log, err := decisions.OpenReadOnly(live.LogDir(dir))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	for _, a := range answered {
		d, _, err := log.Get(a.ID)
		switch {
		case errors.Is(err, decisions.ErrUnknown):
			n++
		case err != nil:
			return 0, err
		case d.Score != a.Score:
			return 0, fmt.Errorf("decision %s was answered with %v and is %v in the log", a.ID, a.Score, d.Score)
		}
	}
	return n, nil
}

// clock lets the process find decisions of next year in its log, as if the
// clock had been set back since, and of last year. The clock itself is not
// turned: a Go program reads it from the kernel's own page, where no library can
// stand between, and the machine's clock is everybody's.
func (f *faults) clock(ctx context.Context, dir string) (string, error) {
	var answered []live.Answer
	b, err := bundleOf(dir)
	if err != nil {
		return "", err
	}
	for _, ahead := range []time.Duration{-365 * 24 * time.Hour, 365 * 24 * time.Hour, -24 * time.Hour} {
		log, err := decisions.Open(live.LogDir(dir), decisions.Options{})
		if err != nil {
			return "", err
		}
		at := time.Now().Add(ahead).Truncate(time.Microsecond)
		for i := range 100 {
			inputs := bytes.TrimSuffix(bytes.TrimPrefix(f.bodies(i), []byte(`{"rows":[`)), []byte(`]}`))
			d := decisions.Decision{ID: log.NewID(at), Time: at, Project: "credit", Bundle: b.ID(), Model: "2", Inputs: inputs}
			row := make([]float64, b.Layout().Cols())
			if _, err := b.Layout().DecodeJSON(row, inputs, true); err != nil {
				return "", err
			}
			d.Margin, d.Score = b.Score(row)
			d.Decision = b.Decide(d.Score)
			if err := log.Append(ctx, d); err != nil {
				return "", err
			}
			answered = append(answered, live.Answer{ID: d.ID, Score: d.Score})
		}
		if err := log.Close(); err != nil {
			return "", err
		}
		s, err := f.tandem.Up(ctx, dir, nil)
		if err != nil {
			return "", err
		}
		defer s.Kill()
		load := f.load(s, 8, nil)
		if err := more(load, 500); err != nil {
			return "", err
		}
		told, err := load.Stop()
		if err != nil {
			return "", err
		}
		answered = append(answered, told...)
		if untold, err := f.kept(ctx, s, answered); err != nil || untold != 0 {
			return "", fmt.Errorf("clock %v: %d untold, %v", ahead, untold, err)
		}
	}
	out, err := f.tandem.Do(ctx, "decisions", dir, "--replay")
	if err != nil {
		return "", fmt.Errorf("%w %s", err, out)
	}
	return fmt.Sprintf("set forth and back by a year between two starts: %d decisions, every id is one, all replayed", len(answered)), nil
}

// bundle damages a version on the disk and asks for it under load.
func (f *faults) bundle(ctx context.Context, dir string) (string, error) {
	files, err := filepath.Glob(filepath.Join(dir, ".tandem", "state", "bundles", "*.tandem"))
	if err != nil || len(files) != 2 {
		return "", fmt.Errorf("bundles %v, %v", files, err)
	}
	s, err := f.tandem.Up(ctx, dir, nil)
	if err != nil {
		return "", err
	}
	defer s.Kill()
	load := f.load(s, 8, nil)
	first := live.NewClient(s.Address, "credit")
	a, _, err := first.Score(f.bodies(0))
	first.Close()
	if err != nil {
		return "", err
	}
	other := files[0]
	if id, err := championBundle(s.URL); err != nil {
		return "", err
	} else if filepath.Base(other) == id+".tandem" {
		other = files[1]
	}
	whole, err := os.ReadFile(other)
	if err != nil {
		return "", err
	}
	elses, err := os.ReadFile(map[bool]string{true: files[1], false: files[0]}[other == files[0]])
	if err != nil {
		return "", err
	}
	damages := [][]byte{nil, elses, whole[:len(whole)/2], whole[:len(whole)-1]} // the second: exchanged
	for range f.rounds {
		turned := append([]byte(nil), whole...)
		turned[f.rng.IntN(len(turned))] ^= 1 << f.rng.IntN(8)
		damages = append(damages, turned)
	}
	version := map[string]int{"1": 2, "2": 1}[a.Model]
	for i, content := range damages {
		if err := os.WriteFile(other, content, 0o600); err != nil {
			return "", err
		}
		if err := live.Promote(s.URL, "credit", version); err == nil {
			return "", fmt.Errorf("damage %d: a bundle that is not the version's is the champion", i)
		}
		if i == 0 {
			if out, err := f.tandem.Do(ctx, "models", "promote", fmt.Sprint(version), "--dir", dir, "--reason", "bench"); err == nil {
				return "", fmt.Errorf("tandem models promote takes a damaged bundle: %s", out)
			}
		}
		if err := more(load, 10); err != nil {
			return "", err
		}
	}
	if err := os.WriteFile(other, whole, 0o600); err != nil {
		return "", err
	}
	told, err := load.Stop()
	if err != nil {
		return "", err
	}
	for _, b := range told {
		if b.Model != a.Model {
			return "", fmt.Errorf("version %s answered", b.Model)
		}
	}
	if err := live.Promote(s.URL, "credit", version); err != nil {
		return "", fmt.Errorf("mended, it is refused: %w", err)
	}
	_, err = f.kept(ctx, s, append(told, a))
	return fmt.Sprintf("%d damages, each refused; %d answers meanwhile, none failed, all by the champion; mended, it is promoted", len(damages), len(told)), err
}

// championBundle is the id of the bundle that answers.
func championBundle(url string) (string, error) {
	r, err := http.Get(url + "/v1/rollout/credit")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	var standing struct{ Champion struct{ Bundle string } }
	err = json.NewDecoder(r.Body).Decode(&standing)
	return standing.Champion.Bundle, err
}

// bundleOf opens the newest version of a project.
func bundleOf(dir string) (*bundle.Bundle, error) {
	return bundle.Open(filepath.Join(dir, "out", "credit.tandem"))
}
