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
)

// writeFile writes a file through a temporary one beside it, so that the file
// appears whole or not at all.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return unwritable(path, err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			err = unwritable(path, err)
		}
	}()
	w := bufio.NewWriterSize(f, 1<<16)
	if err := write(w); err != nil {
		return err
	}
	if err := errors.Join(w.Flush(), f.Chmod(0o644)); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// unwritable adds the cure to the errors of a file system.
func unwritable(path string, err error) error {
	err = fmt.Errorf("write %s: %w", path, err)
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
