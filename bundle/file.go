package bundle

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tandem-ml/tandem/data"
)

// Open reads the bundle in the named file. See [Decode] for what it refuses.
func Open(path string) (*Bundle, error) {
	b, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("open bundle %q: %w", path, err)
	}
	return b, nil
}

func open(path string) (*Bundle, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, plain(err)
	case !info.Mode().IsRegular():
		return nil, data.WithHint(fmt.Errorf("is not a file"), "name the .tandem file itself")
	case info.Size() > MaxFileSize:
		return nil, fmt.Errorf("the file has %d bytes, and %d is the limit", info.Size(), MaxFileSize)
	}
	src, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1)) // it may grow meanwhile
	if err != nil {
		return nil, plain(err)
	}
	return Decode(src)
}

// WriteFile writes the bundle to the named file, replacing what was there. The
// file appears whole or not at all: it is written beside, flushed to the disk
// and renamed.
func WriteFile(path string, b *Bundle) error {
	raw, err := Encode(b)
	if err == nil {
		err = replaceFile(path, raw)
	}
	if err != nil {
		return fmt.Errorf("write bundle %q: %w", path, err)
	}
	return nil
}

func replaceFile(path string, raw []byte) (err error) {
	beside := fmt.Sprintf("%s.%s.tmp", path, rand.Text()[:8])
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return plain(err)
	}
	defer func() {
		if err != nil {
			f.Close() // a second Close is harmless
			os.Remove(beside)
			err = plain(err)
		}
	}()
	if _, err = f.Write(raw); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(beside, path); err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync() // makes the rename durable where folders can be flushed
		dir.Close()
	}
	return nil
}

// plain drops operation and path from an error of package os, since the path
// is named once already.
func plain(err error) error {
	var p *os.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}
