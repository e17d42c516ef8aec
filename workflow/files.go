package workflow

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
)

// writeFile writes a file that appears whole or not at all.
func writeFile(path string, write func(io.Writer) error) error {
	var made error // why what was to be written could not be made
	err := durable.Write(path, 0o644, func(f io.Writer) error {
		kept := &firstError{w: f}
		w := bufio.NewWriterSize(kept, 1<<16)
		if err := write(w); err != nil && kept.err == nil {
			made = err
			return err
		}
		return w.Flush()
	})
	if made != nil {
		return made
	}
	return unwritable(path, err)
}

// firstError keeps the first error of a writer, so that it can be told from
// the errors of those who write to it.
type firstError struct {
	w   io.Writer
	err error
}

func (f *firstError) Write(b []byte) (int, error) {
	n, err := f.w.Write(b)
	if f.err == nil {
		f.err = err
	}
	return n, err
}

// unwritable adds the cure to the errors of a file system.
func unwritable(path string, err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("write %s: %w", path, durable.Plain(err)) // the file beside is one that nobody asked for
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return data.WithHint(err, "the disk is full; nothing was left half written")
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return data.WithHint(err, "the folder cannot be written to; choose another with -o, or change its permissions")
	case errors.Is(err, os.ErrNotExist):
		return data.WithHint(err, "the folder %s does not exist", filepath.Dir(path))
	}
	return err
}

// Writable returns nil if a file could be written to path, so that hours of
// work are not lost to a name that cannot be. Nothing is left behind.
func Writable(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return data.WithHint(fmt.Errorf("write %s: it is a folder", path), "name a file in it")
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return unwritable(path, err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func writeBytes(path string, b []byte) error {
	return writeFile(path, func(w io.Writer) error {
		_, err := io.Copy(w, bytes.NewReader(b))
		return err
	})
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return writeBytes(path, append(b, '\n'))
}
