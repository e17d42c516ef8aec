// Package durable writes files that appear whole or not at all, also when the
// process or the machine dies meanwhile.
package durable

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes path the file that write writes, with the given permissions,
// replacing what was there. It is written beside, under a name of its own that
// begins with a dot, flushed to the disk and renamed, and the rename is flushed
// too: once Write returns nil a power cut loses nothing, and until then what
// was at path is untouched. The error is that of write or of the file system;
// in the second case [Plain] strips the name of the file beside.
func Write(path string, perm fs.FileMode, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	return put(f, path, perm, write)
}

// WriteBeside is [Write] through a named file beside, which must be in path's
// folder: one process at a time may write, and what a process left that died is
// written over by the next.
func WriteBeside(path, beside string, perm fs.FileMode, write func(io.Writer) error) error {
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, perm)
	if err != nil {
		return err
	}
	return put(f, path, perm, write)
}

func put(f *os.File, path string, perm fs.FileMode, write func(io.Writer) error) error {
	err := write(f)
	if err == nil {
		err = f.Chmod(perm) // whatever the process masks
	}
	if err == nil {
		err = f.Sync()
	}
	if err = first(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	return Flush(filepath.Dir(path))
}

// Flush brings the names in a folder to the disk. Where folders cannot be
// flushed, as on Windows and some file systems of networks, it does nothing.
func Flush(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return nil
	}
	_ = d.Sync()
	return d.Close()
}

// Bytes returns a func for [Write] that writes b.
func Bytes(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}

// Plain returns what lies under an error of package os, without operation and
// path, for messages that name the path already.
func Plain(err error) error {
	var p *fs.PathError
	var l *os.LinkError
	switch {
	case errors.As(err, &p):
		return p.Err
	case errors.As(err, &l):
		return l.Err
	}
	return err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
