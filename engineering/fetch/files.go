package fetch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
)

// files is a file, or a folder that is searched through. Names that begin with a
// dot are passed over: what is being written beside, and what mounted volumes keep there.
type files struct {
	path string
	now  func() time.Time
}

func (f *files) String() string { return f.path }

// settled is how old a change of a file must be before its time says that there was no
// other since: file systems count in ticks of up to some milliseconds, on a
// network of some seconds.
const settled = 3 * time.Second

func (f *files) Look(_ context.Context, known map[string]string) ([]Found, error) {
	info, err := os.Stat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, data.WithHint(fmt.Errorf("%s does not exist", f.path), "bundles are files named *.tandem; tandem train and tandem import write them")
	case err != nil:
		return nil, fmt.Errorf("%s: %w", f.path, durable.Plain(err))
	case !info.IsDir():
		return []Found{f.found(f.path, info, known)}, nil
	}
	var out []Found
	err = filepath.WalkDir(f.path, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			if errors.Is(err, fs.ErrNotExist) && file != f.path {
				return nil // it went meanwhile
			}
			return err
		case strings.HasPrefix(d.Name(), ".") && file != f.path:
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir() || filepath.Ext(file) != ".tandem":
			return nil
		}
		info, err := os.Stat(file) // of what a link points at
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !info.IsDir():
			out = append(out, f.found(file, info, known))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, durable.Plain(err))
	}
	return out, nil
}

func (f *files) found(file string, info fs.FileInfo, known map[string]string) Found {
	one := Found{Name: strings.TrimSuffix(filepath.Base(file), ".tandem"), Tag: stamp(info)}
	if known[one.Name] == one.Tag {
		return one
	}
	if age := f.now().Sub(info.ModTime()); age >= 0 && age < settled {
		one.Tag += " fresh" // read it once more when it has settled
		if known[one.Name] == one.Tag {
			return one
		}
	}
	one.Read = func(context.Context) ([]byte, error) { return read(file) }
	return one
}

func stamp(info fs.FileInfo) string {
	return fmt.Sprintf("%d %d", info.Size(), info.ModTime().UnixNano())
}

func read(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, durable.Plain(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, durable.Plain(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", file)
	case info.Size() > most:
		return nil, fmt.Errorf("%s has %d bytes, and %d is the limit", file, info.Size(), int64(most))
	}
	b, err := readAll(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, durable.Plain(err))
	}
	return b, nil
}
