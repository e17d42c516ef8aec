package workflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/clean"
	"github.com/tandem-ml/tandem/data/ingest"
)

// scored is a source encoded for a bundle: row i is data row i of the source,
// and bad[i] says why a row cannot be scored.
type scored struct {
	table *data.Table
	rows  bundle.Rows
	bad   map[int]*data.CellError
}

// readFor reads a source by a bundle's contract, keeping every row in place.
func readFor(ctx context.Context, b *bundle.Bundle, source string, opt Options) (*scored, error) {
	wanted := without(b.Contract, data.Target, data.Excluded)
	res, err := ingest.Read(ctx, source, ingest.Options{Contract: &wanted, KeepBad: true, Dialect: b.Manifest.Data.Read,
		Progress: func(rows int) { opt.Talk.Progress("%d rows", rows) }})
	if err != nil {
		return nil, err
	}
	if len(res.Ignored) > 0 {
		opt.Talk.Line("ignored columns: %s", strings.Join(res.Ignored, ", "))
	}
	layout, err := bundle.NewLayout(&b.Contract)
	if err != nil {
		return nil, err
	}
	rows, bad, err := layout.EncodeTable(res.Table)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	if bad == nil {
		bad = make(map[int]*data.CellError)
	}
	for i, e := range res.Bad {
		bad[i] = e
	}
	for _, e := range bad {
		e.File = source
	}
	return &scored{res.Table, rows, bad}, nil
}

// without returns the contract less the fields of the given roles, by which a
// file's raw cells are read.
func without(c data.Contract, roles ...data.Role) data.Contract {
	var out data.Contract
	for _, f := range c.Fields {
		if !slices.Contains(roles, f.Role) {
			out.Fields = append(out.Fields, f)
		}
	}
	return clean.Raw(out)
}

// Batch says what a batch of rows is read from and how their scores are
// written. The zero value reads the named source and writes CSV.
type Batch struct {
	// Input is read instead of a file; the source is then its name in messages.
	Input io.Reader

	// From is the source's format, one of [ingest.Formats]; "" tells it from the
	// source. To is the format written, one of [Outputs]; "" is csv.
	From, To string

	// Rejects is a file for the rows that could not be scored, in the form of
	// [ingest.WriteRejects]; "" writes none. Their lines are in the output too.
	Rejects string

	// Resume keeps what an interrupted [PredictFile] has written, and goes on
	// from there if its input, bundle and settings are the same.
	Resume bool
}

// Outputs are the formats that scores are written in.
func Outputs() []string { return []string{"csv", "ndjson", "parquet", "arrow"} }

// Predict scores every row of source and writes one line each to w, in order:
// score, decision, the id column if the contract has one and the source holds
// it, the probability of each class (score_CLASS) if there are several, and
// error. A row that cannot be scored has an empty score and the reason in
// error. It returns how many rows there were and how many of them could not be
// scored.
//
// Memory is that of a few blocks of rows, however many there are, and what is
// written does not depend on opt.Workers. When Predict returns an error, w may
// have been written to.
func Predict(ctx context.Context, b *bundle.Bundle, source string, w io.Writer, how Batch, opt Options) (rows, failed int, err error) {
	if how.Resume {
		return 0, 0, Usagef("only what is written to a file can be resumed")
	}
	if how.Rejects == "" {
		return predict(ctx, b, source, &batchFiles{w: w}, how, opt)
	}
	err = writeFile(how.Rejects, func(rejects io.Writer) error {
		rows, failed, err = predict(ctx, b, source, &batchFiles{w: w, rejects: rejects}, how, opt)
		return err
	})
	return rows, failed, err
}

// batchFiles is where a batch goes, and how much of it has gone there before.
type batchFiles struct {
	w, rejects   io.Writer // rejects may be nil
	rows, failed int       // written before, in an earlier run

	// wrote is called after each block; it may be nil.
	wrote func(rows, failed int) error
}

// block is a block of rows on its way.
type block struct {
	first, rows int
	failed      int
	out         any // what the sink made of it
	rejects     []byte
	ignored     []string
	err         error
}

// predict is the pipeline: one goroutine reads blocks, opt.Workers encode,
// score and format them, and this one writes them in order. A block is read
// only when one of those in flight has been written, which bounds memory.
func predict(ctx context.Context, b *bundle.Bundle, source string, files *batchFiles, how Batch, opt Options) (rows, failed int, err error) {
	layout, err := bundle.NewLayout(&b.Contract)
	if err != nil {
		return 0, 0, err
	}
	out, err := newSink(how.To, files.w)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, out.close(err == nil)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := opt.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}

	// A block goes to a worker and, as the place where its result will be, to
	// the writer, in the order of the source.
	type task struct {
		in  *ingest.Block
		out chan *block
	}
	tasks := make(chan task)
	order := make(chan chan *block, workers+1)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for t := range tasks {
				t.out <- scoreBlock(b, layout, source, t.in, out, files.rejects != nil)
			}
		})
	}
	read := make(chan error, 1)
	total := 0
	wanted := without(b.Contract, data.Target, data.Excluded)
	go func() {
		n, err := ingest.Blocks(ctx, source, ingest.BlockOptions{Contract: &wanted, Input: how.Input, Format: how.From, Skip: files.rows,
			Dialect: b.Manifest.Data.Read, Strict: opt.Strict},
			func(in *ingest.Block) error {
				t := task{in, make(chan *block, 1)}
				select {
				case order <- t.out:
				case <-ctx.Done():
					return ctx.Err()
				}
				select {
				case tasks <- t:
				case <-ctx.Done():
					close(t.out) // its place is taken, and stays empty
					return ctx.Err()
				}
				return nil
			})
		total = n
		close(tasks)
		close(order)
		read <- err
	}()
	defer func() { // nobody reads or writes once predict has returned
		cancel()
		ended := make(chan struct{})
		go func() {
			for range order {
			}
			wg.Wait()
			close(ended)
		}()
		if how.Input == nil {
			<-ended
			return
		}
		select {
		case <-ended:
		case <-time.After(time.Second / 4): // an input that says nothing more cannot be waited for
		}
	}()

	rows, failed = files.rows, files.failed
	start, told, ignored := time.Now(), time.Now(), 0
	for {
		var place chan *block
		var more bool
		select {
		case place, more = <-order:
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		}
		if !more {
			break
		}
		done, ok := <-place
		if !ok {
			return 0, 0, ctx.Err()
		}
		if done.err != nil {
			return 0, 0, done.err
		}
		if late := done.ignored[ignored:]; len(late) > 0 {
			opt.Talk.Line("ignored columns: %s", strings.Join(late, ", "))
			ignored = len(done.ignored)
		}
		if err := out.write(done.out); err != nil {
			return 0, 0, err
		}
		if files.rejects != nil {
			if _, err := files.rejects.Write(done.rejects); err != nil {
				return 0, 0, err
			}
		}
		rows, failed = rows+done.rows, failed+done.failed
		if files.wrote != nil {
			if err := files.wrote(rows, failed); err != nil {
				return 0, 0, err
			}
		}
		if now := time.Now(); now.Sub(told) > time.Second/4 {
			told = now
			opt.Talk.Progress("%d rows, %.0f a second", rows, float64(rows-files.rows)/now.Sub(start).Seconds())
		}
	}
	if err := <-read; err != nil {
		return 0, 0, err
	}
	if rows != total {
		return 0, 0, fmt.Errorf("%s has %d rows, fewer than the %d that were written before", source, total, rows)
	}
	return rows, failed, nil
}

// scoreBlock scores a block and makes of it what the sink writes.
func scoreBlock(b *bundle.Bundle, layout *bundle.Layout, source string, in *ingest.Block, out sink, withRejects bool) *block {
	rows, broken, err := layout.EncodeTable(in.Table)
	if err != nil {
		return &block{err: fmt.Errorf("%s: %w", source, err)}
	}
	s := answered{id: idColumn(b, in.Table), classes: b.Decision.Classes, bad: broken, answers: answers(b, rows)}
	if s.bad == nil {
		s.bad = make(map[int]*data.CellError)
	}
	for _, e := range s.bad {
		e.Row += in.First
	}
	maps.Copy(s.bad, in.Bad)
	done := &block{first: in.First, rows: rows.N, failed: len(s.bad), ignored: in.Ignored}
	if withRejects {
		if done.rejects, err = rejected(in, &s, source); err != nil {
			return &block{err: err}
		}
	}
	for _, e := range s.bad {
		e.File = source
	}
	if done.out, err = out.make(in.First, &s); err != nil {
		return &block{err: err}
	}
	return done
}

// answers is b.Answers on this goroutine alone: the blocks are what goes to the
// workers, and rows that are few enough are scored by those who ask.
func answers(b *bundle.Bundle, rows bundle.Rows) []bundle.Answer {
	const few = 256
	out := make([]bundle.Answer, 0, rows.N)
	for i := 0; i < rows.N; i += few {
		n := min(few, rows.N-i)
		out = append(out, b.Answers(bundle.Rows{N: n, Cols: rows.Cols, Data: rows.Data[i*rows.Cols : (i+n)*rows.Cols]})...)
	}
	return out
}

func idColumn(b *bundle.Bundle, t *data.Table) *data.Column {
	for _, f := range b.Contract.Fields {
		if f.Role == data.ID {
			return t.Column(f.Name)
		}
	}
	return nil
}
