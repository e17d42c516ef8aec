package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// Stage names a step of the work. Version is raised by hand whenever its code
// changes what it makes; results of other versions are not used.
type Stage struct {
	Name    string // lower-case letters, digits, '-' and '_'
	Version int
}

// Options are the settings of a cache.
type Options struct {
	// Keep is how many results of each stage are kept, the most recently used
	// ones. 0 means 10.
	Keep int

	// Verify reads every file of a result before it is used again, and makes
	// the result anew if a byte has changed. Without it only names and sizes
	// are compared.
	Verify bool

	// Notify is told in a sentence when something takes longer than expected:
	// another process is at work on the stage, or a damaged result is made
	// anew. It may be nil.
	Notify func(message string)
}

// Cache is a folder of results. It is safe for concurrent use, also by several
// processes.
type Cache struct {
	dir string
	opt Options
}

// Open returns the cache in a folder, which is made, readable by its owner
// only, if it does not exist. The error names the folder if it cannot be used.
func Open(dir string, opt Options) (*Cache, error) {
	if opt.Keep < 0 {
		return nil, fmt.Errorf("open cache %q: keep is %d and must not be negative", dir, opt.Keep)
	}
	if opt.Keep == 0 {
		opt.Keep = 10
	}
	if opt.Notify == nil {
		opt.Notify = func(string) {}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open cache %q: %w", dir, err)
	}
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, explain(fmt.Errorf("open cache %q: %w", dir, err), dir)
	}
	return &Cache{dir: abs, opt: opt}, nil
}

// Do returns the result of a stage, which it makes if the cache does not hold
// it. inputs are hashes by name (see [Output.Hash]); params is anything that
// marshals to JSON: two that marshal to the same object, whatever the order of
// its keys, are the same.
//
// work writes its files into dir, an empty folder, and returns; subfolders are
// allowed, links are not. If it fails, panics, or ctx ends, nothing of it is
// kept. Its error is returned wrapped with the stage's name. Of several calls
// with the same key at the same time, in this process or another, one runs
// work and the others wait for it.
func (c *Cache) Do(ctx context.Context, stage Stage, inputs map[string]string, params any,
	work func(ctx context.Context, dir string) error) (Output, error) {
	out, err := c.do(ctx, stage, inputs, params, work)
	if err != nil {
		return Output{}, explain(fmt.Errorf("stage %q: %w", stage.Name, err), c.dir)
	}
	return out, nil
}

func (c *Cache) do(ctx context.Context, stage Stage, inputs map[string]string, params any,
	work func(ctx context.Context, dir string) error) (Output, error) {
	if err := ctx.Err(); err != nil {
		return Output{}, err
	}
	if stage.Name == "" || strings.Trim(stage.Name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return Output{}, errors.New("a stage's name is made of lower-case letters, digits, '-' and '_'")
	}
	rec, err := newRecord(stage, inputs, params)
	if err != nil {
		return Output{}, err
	}
	home := filepath.Join(c.dir, stage.Name)
	path := filepath.Join(home, rec.Key)
	if out, err := c.cached(path, rec.Key); err == nil {
		return out, nil
	}

	if err := os.MkdirAll(home, 0o700); err != nil {
		return Output{}, err
	}
	unlock, err := lock(ctx, path+".lock", func(holder string) {
		c.opt.Notify(fmt.Sprintf("stage %s is already at work%s; waiting for it", stage.Name, holder))
	})
	if err != nil {
		return Output{}, err
	}
	defer unlock()
	// Another process may have made it while this one waited for the lock.
	out, err := c.cached(path, rec.Key)
	if err == nil {
		return out, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		c.opt.Notify(fmt.Sprintf("the kept result of stage %s cannot be used (%v); making it anew", stage.Name, err))
		if err := discard(path); err != nil {
			return Output{}, err
		}
	}
	out, err = run(ctx, path, rec, work)
	if err != nil {
		return Output{}, err
	}
	prune(home, c.opt.Keep)
	return out, nil
}

// run makes a result beside its place and renames it into it. The caller holds
// the key's lock, so whatever lies at path.tmp is of a process that died.
func run(ctx context.Context, path string, rec record, work func(ctx context.Context, dir string) error) (out Output, err error) {
	tmp := path + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return Output{}, err
	}
	defer os.RemoveAll(tmp) // also when work panics; after the rename there is nothing to remove
	files := filepath.Join(tmp, filesDir)
	if err := os.MkdirAll(files, 0o700); err != nil {
		return Output{}, err
	}
	start := time.Now()
	if err := work(ctx, files); err != nil {
		return Output{}, err
	}
	rec.Seconds = time.Since(start).Seconds()
	if err := ctx.Err(); err != nil {
		return Output{}, err
	}
	if rec.Files, err = listFiles(ctx, files); err != nil {
		return Output{}, err
	}
	rec.Hash = hashOf(rec.Files)
	if err := rec.write(tmp); err != nil {
		return Output{}, err
	}
	if err := os.Rename(tmp, path); err != nil {
		return Output{}, err
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return Output{}, err
	}
	return rec.output(path, false), nil
}

// cached returns the result at path. The error is fs.ErrNotExist if there is
// none, and says what is damaged if it cannot be used.
func (c *Cache) cached(path, key string) (Output, error) {
	rec, err := readRecord(path)
	if err != nil {
		return Output{}, err
	}
	if rec.Key != key {
		return Output{}, fmt.Errorf("%s is of another key", recordFile)
	}
	if err := rec.check(filepath.Join(path, filesDir), c.opt.Verify); err != nil {
		return Output{}, err
	}
	now := time.Now()
	// Marks the result as used, for prune; in a cache that cannot be written
	// nothing is pruned either, so that this may fail.
	_ = os.Chtimes(path, now, now)
	return rec.output(path, true), nil
}

// explain adds the cure to errors of the disk.
func explain(err error, dir string) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return data.WithHint(fmt.Errorf("%w (the disk that holds %s is full)", err, dir),
			"free some space; the cache %s can be deleted while nothing runs", dir)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return data.WithHint(err, "make the folder %s writable for this user", dir)
	}
	return err
}
