package registry

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/tandem-ml/tandem/data"
)

// ErrNotFound is wrapped by errors about a version or bundle that is not
// there.
var ErrNotFound = errors.New("not found")

// Registry is an open registry. It is safe for concurrent use.
type Registry struct {
	db  *sql.DB
	dir string
}

const (
	dbFile     = "registry.db"
	bundlesDir = "bundles"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Open opens the registry in a folder and makes both if they do not exist. A
// registry of an older version of the program is brought up to date; one of a
// newer version is refused.
func Open(ctx context.Context, dir string) (*Registry, error) {
	r, err := open(ctx, dir)
	if err != nil {
		err = fmt.Errorf("open registry %q: %w", dir, err)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
			err = data.WithHint(err, "make the folder %s writable for this user", dir)
		}
		return nil, err
	}
	return r, nil
}

func open(ctx context.Context, dir string) (*Registry, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{abs, filepath.Join(abs, bundlesDir)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	path := filepath.Join(abs, dbFile)
	// SQLite would make the file readable by others; its side files take the
	// mode of the file that is there.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	// A transaction takes the write lock when it begins, so that it can wait
	// for it; synchronous=FULL puts each commit on the disk.
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(ON)",
	}}
	source := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	if err := migrate(ctx, db, path); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", dbFile, err), db.Close())
	}
	return &Registry{db: db, dir: abs}, nil
}

// migrate brings the schema up to date, one process at a time.
func migrate(ctx context.Context, db *sql.DB, path string) error {
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close() // lets go of the lock
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	have, known, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	switch {
	case have == known:
		return nil
	case have > known:
		return data.WithHint(fmt.Errorf("it has schema %d, and this program knows %d", have, known),
			"it was written by a newer version of tandem; use that one")
	}
	_, err = provider.Up(ctx)
	return err
}

// Close closes the registry. Calls at work are waited for.
func (r *Registry) Close() error { return r.db.Close() }

// write runs f in a transaction that is committed if f returns nil, and leaves
// no trace otherwise.
func (r *Registry) write(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// collect reads all rows of a query with scan.
func collect[T any](ctx context.Context, q querier, scan func(row func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// now is the time to the microsecond, as it is stored.
func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
