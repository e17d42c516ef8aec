package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
)

// Version is a bundle's place in a project.
type Version struct {
	Project string    `json:"project"`
	Number  int       `json:"version"`
	Bundle  string    `json:"bundle"` // id
	Note    string    `json:"note,omitempty"`
	Added   time.Time `json:"added"` // UTC
}

// versionFacts is what the audit trail says of a new version.
type versionFacts struct {
	Version int    `json:"version"`
	Bundle  string `json:"bundle"`
	SHA256  string `json:"sha256"`
	Note    string `json:"note"`
}

// EventVersion is the kind of the event that AddVersion writes.
const EventVersion = "version"

// AddVersion keeps a bundle's bytes and gives the bundle the project's next
// number. bundleID is the bundle's id, 64 hexadecimal digits; it is not
// computed here. A bundle that the project has already keeps its version and
// note, which are returned; nothing else happens then, but that a missing or
// damaged file is mended.
//
// When AddVersion returns, the bytes and the version are on the disk. When it
// fails or the process dies, there is no version.
func (r *Registry) AddVersion(ctx context.Context, project, bundleID string, bundle []byte, note string) (Version, error) {
	var v Version
	err := r.write(ctx, func(tx *sql.Tx) error {
		if project == "" {
			return errors.New("the project has no name")
		}
		sum, err := r.keep(ctx, tx, bundleID, bundle)
		if err != nil {
			return err
		}
		v, err = scanVersion(tx.QueryRowContext(ctx, selectVersion+`WHERE project = $1 AND bundle_id = $2`, project, bundleID).Scan)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		v = Version{Project: project, Bundle: bundleID, Note: note, Added: now()}
		err = tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) + 1 FROM version WHERE project = $1`, project).Scan(&v.Number)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO version (project, number, bundle_id, note, added) VALUES ($1, $2, $3, $4, $5)`,
			v.Project, v.Number, v.Bundle, v.Note, v.Added.UnixMicro())
		if err != nil {
			return err
		}
		return audit(ctx, tx, project, EventVersion, versionFacts{v.Number, v.Bundle, sum, v.Note})
	})
	if err != nil {
		return Version{}, r.explain(fmt.Errorf("add bundle %q to project %q: %w", short(bundleID), project, err))
	}
	return v, nil
}

// keep makes sure that the bundle's file is on the disk and known, and returns
// the SHA-256 of its bytes. It runs inside the write transaction, so that two
// processes do not write one file.
func (r *Registry) keep(ctx context.Context, tx *sql.Tx, id string, bundle []byte) (string, error) {
	path, err := r.bundlePath(id)
	if err != nil {
		return "", err
	}
	sum := sha256Hex(bundle)
	var known string
	err = tx.QueryRowContext(ctx, `SELECT sha256 FROM bundle WHERE id = $1`, id).Scan(&known)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", err
	}
	first := known == ""
	if first {
		known = sum
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err != nil || sha256Hex(old) != known {
		// New, or left by a process that died before its commit, or damaged. Two
		// files of one id may differ in their signature: only the known one mends.
		if sum != known {
			return "", fmt.Errorf("its file %s is missing or damaged, and the bytes given now are not the same", path)
		}
		// The caller holds the write lock, so a file beside is what a process left that died.
		if err := durable.WriteBeside(path, filepath.Join(filepath.Dir(path), "new.tmp"), 0o600, durable.Bytes(bundle)); err != nil {
			return "", err
		}
	}
	if !first {
		return known, nil
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO bundle (id, sha256, size) VALUES ($1, $2, $3)`, id, sum, len(bundle))
	return known, err
}

// Versions returns the versions of a project, the first one first.
func (r *Registry) Versions(ctx context.Context, project string) ([]Version, error) {
	vs, err := collect(ctx, r.db, scanVersion, selectVersion+`WHERE project = $1 ORDER BY number`, project)
	if err != nil {
		return nil, fmt.Errorf("list versions of project %q: %w", project, err)
	}
	return vs, nil
}

// Version returns one version of a project. The error is ErrNotFound, and says
// which versions there are, if it does not exist.
func (r *Registry) Version(ctx context.Context, project string, number int) (Version, error) {
	return version(ctx, r.db, project, number)
}

func version(ctx context.Context, q querier, project string, number int) (Version, error) {
	v, err := scanVersion(q.QueryRowContext(ctx, selectVersion+`WHERE project = $1 AND number = $2`, project, number).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		var last int
		if err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) FROM version WHERE project = $1`, project).Scan(&last); err != nil {
			return Version{}, fmt.Errorf("version %d of project %q: %w", number, project, err)
		}
		err = ErrNotFound
		if last == 0 {
			return Version{}, fmt.Errorf("version %d of project %q: %w: the project has no versions", number, project, err)
		}
		return Version{}, fmt.Errorf("version %d of project %q: %w: its versions are 1 to %d", number, project, err, last)
	}
	if err != nil {
		return Version{}, fmt.Errorf("version %d of project %q: %w", number, project, err)
	}
	return v, nil
}

const selectVersion = `SELECT project, number, bundle_id, note, added FROM version `

func scanVersion(row func(...any) error) (v Version, err error) {
	var added int64
	err = row(&v.Project, &v.Number, &v.Bundle, &v.Note, &added)
	v.Added = time.UnixMicro(added).UTC()
	return v, err
}

// BundlePath returns the file of a bundle. The error is ErrNotFound if the id
// is not known here; an id that is not 64 hexadecimal digits never leads to a
// file.
func (r *Registry) BundlePath(id string) (string, error) {
	path, err := r.bundlePath(id)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNotFound
		}
		return "", fmt.Errorf("bundle %q: %w", short(id), err)
	}
	return path, nil
}

func (r *Registry) bundlePath(id string) (string, error) {
	if len(id) != 64 || strings.Trim(id, "0123456789abcdef") != "" {
		return "", fmt.Errorf("bundle %q: %w: an id is 64 hexadecimal digits", short(id), ErrNotFound)
	}
	return filepath.Join(r.dir, bundlesDir, id+".tandem"), nil
}

// short is enough of an id for a person.
func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}

func sha256Hex(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// explain adds the cure to an error of a full disk.
func (r *Registry) explain(err error) error {
	var s *sqlite.Error
	full := errors.As(err, &s) && s.Code()&0xff == sqlite3.SQLITE_FULL // the low byte is the kind of error
	if full || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return data.WithHint(fmt.Errorf("%w (the disk that holds %s is full)", err, r.dir), "free some space and try again; nothing was changed")
	}
	return err
}
