package gbdt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
	"github.com/tandem-ml/tandem/science/learn"
)

// Checkpoint keeps the state of a long fit in a file, so that a fit that was
// interrupted, by whatever means, need not begin anew:
//
//	c := gbdt.Checkpoint{Path: "loans.state"}
//	members, err := c.Fit(ctx, train, params) // goes on if the file is there
//	...                                       // bring the members to safety
//	err = c.Remove()
//
// An interrupted fit that is resumed gives the same bytes as one that was not.
// The file holds the trees and how early stopping stands, not the rows, and is
// bound to them, to the settings and to the seed by fingerprints. It is one
// fit's at a time.
type Checkpoint struct {
	Path string
	// Due is asked after every round, when so many have grown trees, whether to
	// write the state now; nil: always. Writing takes as long as the disk takes
	// to keep it, and a cancelled ctx does not end it.
	Due func(rounds int) bool
}

// Fit is [Learner.Fit], or [Learner.FitClasses] for multiclass tasks, that goes
// on from the file if there is one, and writes it whenever that is due. It
// returns a member for each output. t.Progress begins with the trees that are
// there already. When Fit returns, the file stays.
//
// Further errors: a file that is damaged, or of another version, or of a fit
// with other rows, settings or seed; and a file that cannot be written, before
// training begins if that can be told.
func (k Checkpoint) Fit(ctx context.Context, t learn.Train, p learn.Params) ([]bundle.Member, error) {
	return fit(ctx, t, p, nil, &k)
}

// Remove deletes the file, and what a fit that was killed while it wrote may
// have left beside it. It is no error if there is none.
func (k Checkpoint) Remove() error {
	for _, path := range []string{k.Path, k.beside()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// beside is where a state is written before it takes the place of the last.
func (k Checkpoint) beside() string { return k.Path + ".tmp" }

// open returns the state in the file, nil: there is none, and what writes it.
func (k Checkpoint) open(ctx context.Context, c *crew, t learn.Train, s settings) (*state, func(context.Context, *booster) error, error) {
	id, err := identify(ctx, c, t, s)
	if err != nil {
		return nil, nil, err
	}
	from, err := k.read(id)
	switch {
	case err != nil:
		return nil, nil, fmt.Errorf("gbdt: checkpoint %q: %w", k.Path, err)
	case from != nil && !from.suits(t, s):
		return nil, nil, fmt.Errorf("gbdt: checkpoint %q: is not of this task", k.Path)
	}
	save := func(ctx context.Context, b *booster) error {
		if k.Due != nil && !k.Due(b.rounds) {
			return nil
		}
		if err := ctx.Err(); err != nil { // a cancelled round may be half done
			return err
		}
		if err := k.write(b.state().encode(id)); err != nil {
			return fmt.Errorf("gbdt: checkpoint %q: %w", k.Path, err)
		}
		return nil
	}
	return from, save, nil
}

// suits reports whether a state could be one of the fit.
func (s *state) suits(t learn.Train, of settings) bool {
	for _, f := range s.forests {
		if f.Features != t.X.Cols {
			return false
		}
	}
	return len(s.forests) == max(1, t.Classes) && (s.stop != nil) == (t.Valid != nil && of.earlyStoppingRounds > 0)
}

// read returns the state in the file, which must be of the given fit; nil: there
// is no file, but there could be.
func (k Checkpoint) read(id identity) (*state, error) {
	f, err := os.Open(k.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, k.try()
	}
	if err != nil {
		return nil, durable.Plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, durable.Plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a file")
	}
	// What is of no use is not read whole.
	header, err := io.ReadAll(io.LimitReader(f, int64(headerSize)))
	if err != nil {
		return nil, durable.Plain(err)
	}
	found, err := decodeHeader(header)
	switch {
	case errors.Is(err, errForeign):
		return nil, data.WithHint(err, "name another file for the state")
	case err != nil:
		return nil, data.WithHint(err, "remove it, and training begins anew")
	case found.Settings != id.Settings:
		return nil, data.WithHint(errors.New("is of a fit with other settings or another seed"), "go on with those, or remove it, and training begins anew")
	case found.Data != id.Data:
		return nil, data.WithHint(errors.New("is of a fit to other data"), "go on with those, or remove it, and training begins anew")
	}
	src := make([]byte, info.Size())
	if _, err := f.ReadAt(src, 0); err != nil {
		return nil, durable.Plain(err)
	}
	s, err := decodeState(src)
	if err != nil {
		return nil, data.WithHint(err, "remove it, and training begins anew")
	}
	return s, nil
}

// try finds out whether the file can be written, before hours of training.
func (k Checkpoint) try() error {
	f, err := os.Create(k.beside())
	if err != nil {
		return durable.Plain(err)
	}
	f.Close()
	return durable.Plain(os.Remove(k.beside()))
}

// write replaces the file, so that at any moment there is a whole state or none.
func (k Checkpoint) write(raw []byte) error {
	return durable.Plain(durable.WriteBeside(k.Path, k.beside(), 0o644, durable.Bytes(raw)))
}
