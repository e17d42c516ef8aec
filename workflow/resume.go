package workflow

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/ingest"
)

// PredictFile is [Predict] into a file, which appears whole or not at all.
//
// With how.Resume what is written stands in path + ".partial" until it is
// whole, and how far it is in path + ".journal", both on the disk at least every
// second. A run that was interrupted leaves them, and the same run takes them up
// again: the file is then the one that an uninterrupted run writes, byte by
// byte.
func PredictFile(ctx context.Context, b *bundle.Bundle, source, path string, how Batch, opt Options) (rows, failed int, err error) {
	if how.Resume {
		return resume(ctx, b, source, path, how, opt)
	}
	err = writeFile(path, func(w io.Writer) error {
		rows, failed, err = Predict(ctx, b, source, w, how, opt)
		return err
	})
	return rows, failed, err
}

// journal says how far a batch is, and of what it is a batch.
type journal struct {
	Bundle string `json:"bundle"`
	Source string `json:"source"` // its SHA-256
	Named  string `json:"named"`  // as errors name it
	From   string `json:"from,omitempty"`
	To     string `json:"to"`

	Rejects string `json:"rejects,omitempty"` // the file's path

	Rows         int   `json:"rows"`
	Failed       int   `json:"failed"`
	Bytes        int64 `json:"bytes"`
	RejectsBytes int64 `json:"rejects_bytes,omitempty"`
}

// other says what makes j and another journal those of different batches.
func (j *journal) other(than *journal) string {
	switch {
	case j.Bundle != than.Bundle:
		return "of another bundle"
	case j.Source != than.Source || j.Named != than.Named:
		return "of another input"
	case j.From != than.From || j.To != than.To:
		return "in another format"
	case j.Rejects != than.Rejects:
		return "with another file of rejects"
	}
	return ""
}

// journalEvery is how often a journal is written: what is lost when the machine
// stops. It is a variable for tests.
var journalEvery = time.Second

func resume(ctx context.Context, b *bundle.Bundle, source, path string, how Batch, opt Options) (rows, failed int, err error) {
	if how.To == "" {
		how.To = "csv"
	}
	switch {
	case how.Input != nil:
		return 0, 0, Usagef("only a file can be read on from where it was left; name one to resume")
	case how.To != "csv" && how.To != "ndjson":
		return 0, 0, Usagef("only csv and ndjson can be resumed: a %s file is whole or nothing", how.To)
	}
	want := journal{Bundle: b.ID(), Named: source, From: how.From, To: how.To, Rejects: how.Rejects}
	if want.Source, err = ingest.Hash(ctx, source, ""); err != nil {
		return 0, 0, err
	}
	at, err := readJournal(path + ".journal")
	if err != nil {
		return 0, 0, err
	}
	if at == nil {
		at = &want
	} else if what := at.other(&want); what != "" {
		return 0, 0, data.WithHint(fmt.Errorf("%s.journal is that of a run %s", path, what),
			"remove it and %s.partial, or write to another file", path)
	}
	out, err := partial(path, at.Bytes)
	if err != nil {
		return 0, 0, err
	}
	defer out.Close()
	files := &batchFiles{w: out, rows: at.Rows, failed: at.Failed}
	rejects := (*kept)(nil)
	if how.Rejects != "" {
		if rejects, err = partial(how.Rejects, at.RejectsBytes); err != nil {
			return 0, 0, err
		}
		defer rejects.Close()
		files.rejects = rejects
	}
	if at.Rows > 0 {
		opt.Talk.Line("going on after row %d", at.Rows)
	}
	note := func() error {
		for _, k := range []*kept{out, rejects} {
			if err := k.sync(); err != nil {
				return err
			}
		}
		return writeJSON(path+".journal", at)
	}
	noted := time.Now()
	files.wrote = func(rows, failed int) error {
		at.Rows, at.Failed, at.Bytes = rows, failed, out.size
		if rejects != nil {
			at.RejectsBytes = rejects.size
		}
		if time.Since(noted) < journalEvery {
			return nil
		}
		noted = time.Now()
		return note()
	}
	rows, failed, err = predict(ctx, b, source, files, how, opt)
	if err != nil {
		if at.Rows > 0 {
			if noteErr := note(); noteErr == nil && errors.Is(err, context.Canceled) {
				return 0, 0, &Interrupted{Rows: at.Rows, Err: err}
			}
			return 0, 0, err
		}
		for _, k := range []*kept{out, rejects} { // nothing is in them
			if k != nil {
				os.Remove(k.f.Name())
			}
		}
		return 0, 0, err
	}
	if err := rejects.finish(); err != nil {
		return 0, 0, err
	}
	if err := out.finish(); err != nil {
		return 0, 0, err
	}
	if err := os.Remove(path + ".journal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, 0, err
	}
	return rows, failed, nil
}

// Interrupted says that a batch was interrupted and can be taken up again.
type Interrupted struct {
	Rows int // that are written
	Err  error
}

// Error says how far the batch is.
func (e *Interrupted) Error() string {
	return fmt.Sprintf("interrupted after %d rows; the same command goes on from there", e.Rows)
}

// Unwrap returns what interrupted it.
func (e *Interrupted) Unwrap() error { return e.Err }

func readJournal(path string) (*journal, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var j journal
	if err := json.Unmarshal(b, &j); err != nil || j.Rows < 0 || j.Bytes < 0 || j.RejectsBytes < 0 || j.Failed < 0 {
		return nil, data.WithHint(fmt.Errorf("%s is no journal of a batch", path), "remove it, or write to another file")
	}
	return &j, nil
}

// kept is a file that is being written beside its path.
type kept struct {
	path string
	f    *os.File
	w    *bufio.Writer
	size int64 // with what is not yet in the file
}

// partial opens what is kept of a file and cuts it to size.
func partial(path string, size int64) (*kept, error) {
	name := path + ".partial"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, unwritable(path, err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() < size {
		err = data.WithHint(fmt.Errorf("%s has %d bytes, and its journal says %d", name, info.Size(), size),
			"it is not what the journal speaks of; remove both to begin again")
	}
	if err == nil {
		err = f.Truncate(size)
	}
	if err == nil {
		_, err = f.Seek(size, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &kept{path, f, bufio.NewWriterSize(f, 1<<16), size}, nil
}

func (k *kept) Write(b []byte) (int, error) {
	n, err := k.w.Write(b)
	k.size += int64(n)
	if err != nil {
		err = unfinished(k.path, err)
	}
	return n, err
}

// unfinished is unwritable for what is kept.
func unfinished(path string, err error) error {
	return data.WithHint(fmt.Errorf("write %s.partial: %w", path, err), "what is written is kept: mend it, and the same command goes on")
}

// sync brings all that was written to the disk. k may be nil.
func (k *kept) sync() error {
	if k == nil {
		return nil
	}
	if err := errors.Join(k.w.Flush(), k.f.Sync()); err != nil {
		return unfinished(k.path, err)
	}
	return nil
}

// finish gives the file its name. k may be nil.
func (k *kept) finish() error {
	if k == nil {
		return nil
	}
	if err := k.sync(); err != nil {
		return err
	}
	if err := errors.Join(k.f.Close(), os.Rename(k.f.Name(), k.path)); err != nil {
		return unwritable(k.path, err)
	}
	return nil
}

// Close closes the file and keeps it.
func (k *kept) Close() error { return k.f.Close() }
