package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/fetch"
)

// rowsOfQuery is the table that holds what a query gave.
const rowsOfQuery = "tandem_rows_of_the_query"

// queried reads the tables of a query into a database in memory and runs it. The
// database is closed to everything else first: the query sees its tables, and no
// file, network, extension or setting. It runs in one thread, so that rows come
// in one order.
func queried(ctx context.Context, opt *Options) (_ file, found []data.Finding, err error) {
	db, err := openWith(append(slices.Clone(settings[:]), [2]string{"threads", "1"}), false)
	if err != nil {
		return file{}, nil, err
	}
	defer func() {
		if err != nil {
			db.close()
		}
	}()
	for _, table := range slices.Sorted(maps.Keys(opt.Tables)) {
		r, err := Read(ctx, opt.Tables[table], Options{Dir: opt.Dir, Dialect: opt.Dialect, Progress: opt.Progress})
		if err != nil {
			return file{}, nil, fmt.Errorf("table %s: %w", table, err)
		}
		for _, f := range r.Findings {
			f.Text = "table " + table + ": " + f.Text
			found = append(found, f)
		}
		if err := db.load(table, r.Table); err != nil {
			return file{}, nil, fmt.Errorf("table %s: %w", table, err)
		}
	}
	if err := db.run("SET enable_external_access = false"); err != nil {
		return file{}, nil, err
	}
	if err := db.run("SET lock_configuration = true"); err != nil {
		return file{}, nil, err
	}
	query := strings.TrimRight(strings.TrimSpace(opt.SQL), "; \t\r\n")
	if err := db.run("CREATE TABLE " + rowsOfQuery + " AS (\n" + query + "\n)"); err != nil {
		if ctx.Err() != nil {
			return file{}, nil, ctx.Err()
		}
		return file{}, nil, data.WithHint(fmt.Errorf("the query: %w", err), "its tables are %s", strings.Join(slices.Sorted(maps.Keys(opt.Tables)), ", "))
	}
	return file{name: "the query", db: db}, found, nil
}

// load makes a table of the database.
func (d *database) load(name string, t *data.Table) (err error) {
	folder, err := os.MkdirTemp("", "tandem-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	path := filepath.Join(folder, "rows.csv")
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	columns := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		columns[i] = sqlText(c.Name) + ": " + map[data.Kind]string{data.Number: "'DOUBLE'", data.Time: "'TIMESTAMP'"}[c.Kind]
		if c.Kind != data.Number && c.Kind != data.Time {
			columns[i] += "'VARCHAR'"
		}
	}
	err = w.Write(t.Names())
	record := make([]string, len(t.Columns))
	for row := 0; err == nil && row < t.Rows(); row++ {
		for i, c := range t.Columns {
			if record[i] = c.Format(row); c.Kind == data.Time && record[i] != "" {
				record[i] = time.UnixMicro(c.Times[row]).UTC().Format("2006-01-02 15:04:05.999999")
			}
		}
		err = w.Write(record)
	}
	w.Flush()
	if err = errors.Join(err, w.Error(), f.Close()); err != nil {
		return err
	}
	return d.run(fmt.Sprintf(`CREATE TABLE "%s" AS SELECT * FROM read_csv(%s, columns = {%s}, header = true, auto_detect = false,
		delim = ',', quote = '"', escape = '"', nullstr = '', new_line = '\n', parallel = false, max_line_size = %d)`,
		name, sqlText(literally(path)), strings.Join(columns, ", "), 4*maxRecord))
}

func sqlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// resolveAll returns the files of a source, wherever it is, with its hash, how
// messages and records may name it, and what removes its copies.
func resolveAll(ctx context.Context, source string, opt *Options, filled bool) (files []file, sum, shown string, found []data.Finding, release func(), err error) {
	release = func() {}
	switch {
	case opt.Tables != nil:
		all := sha256.New()
		fmt.Fprintln(all, opt.SQL)
		for _, table := range slices.Sorted(maps.Keys(opt.Tables)) {
			one, err := HashOf(ctx, opt.Tables[table], Options{Dir: opt.Dir})
			if err != nil {
				return nil, "", "", nil, release, fmt.Errorf("table %s: %w", table, err)
			}
			fmt.Fprintln(all, table, one)
		}
		shown, sum = "a query over "+strings.Join(slices.Sorted(maps.Keys(opt.Tables)), ", "), hex.EncodeToString(all.Sum(nil))
		if !filled {
			return nil, sum, shown, nil, release, nil
		}
		f, found, err := queried(ctx, opt)
		if err != nil {
			return nil, "", "", nil, release, err
		}
		return []file{f}, sum, shown, found, f.db.close, nil
	case fetch.Is(source):
		address, err := fetch.Resolve(source)
		if err != nil {
			return nil, "", "", nil, release, err
		}
		if fetch.Is(address) {
			got, err := fetch.Get(ctx, address, opt.SQL)
			if err != nil {
				return nil, "", "", nil, release, err
			}
			release = func() { os.Remove(got.Path) }
			f, err := stat(got.Name, got.Path)
			if _, member, found := memberOf(address); found {
				f.member = member
			}
			if err == nil {
				sum, err = hash(ctx, []file{f})
			}
			if err != nil {
				release()
				return nil, "", "", nil, func() {}, err
			}
			return []file{f}, sum, fetch.Redacted(address), nil, release, nil
		}
		source = address
	}
	if opt.SQL != "" {
		return nil, "", "", nil, release, data.WithHint(errors.New("the query has no tables"), "name them in data.files, or a PostgreSQL server in data.source")
	}
	if files, err = resolve(source, opt.Dir); err == nil {
		sum, err = hash(ctx, files)
	}
	return files, sum, source, nil, release, err
}

// HashOf is [Hash] for a source of any kind: what is elsewhere is fetched, and a
// query's hash is made of its text and the hashes of its tables.
func HashOf(ctx context.Context, source string, opt Options) (string, error) {
	_, sum, _, _, release, err := resolveAll(ctx, source, &opt, false)
	release()
	return sum, err
}
