package pipeline

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Output is the result of a stage.
type Output struct {
	Key     string  // what it was made of, hex
	Dir     string  // the folder with its files; read only
	Cached  bool    // true: it was there already
	Seconds float64 // how long making it took, then or now

	hash string
}

// Hash returns the SHA-256, in hex, over the names and contents of the
// output's files: the next stage's input. Equal files have equal hashes,
// whatever they were made of.
func (o Output) Hash() string { return o.hash }

const (
	recordFile = "output.json"
	filesDir   = "files"
	layout     = 1 // of the folder; raised when a reader of the old one would go wrong
)

// record is what output.json holds. Inputs and parameters are there for
// people who ask why a stage ran again.
type record struct {
	Key     string            `json:"key"`
	Stage   string            `json:"stage"`
	Version int               `json:"version"`
	Inputs  map[string]string `json:"inputs"`
	Params  json.RawMessage   `json:"params"`
	Seconds float64           `json:"seconds"`
	Hash    string            `json:"hash"`
	Files   []file            `json:"files"`
}

// file is one file of an output, named by its path with slashes.
type file struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// newRecord computes the key. The preimage is JSON, so that no two different
// sets of inputs can be written alike.
func newRecord(stage Stage, inputs map[string]string, params any) (record, error) {
	canonical, err := canonicalJSON(params)
	if err != nil {
		return record{}, fmt.Errorf("parameters: %w", err)
	}
	if inputs == nil {
		inputs = map[string]string{}
	}
	preimage, err := json.Marshal(struct {
		Layout  int               `json:"layout"`
		Stage   string            `json:"stage"`
		Version int               `json:"version"`
		Inputs  map[string]string `json:"inputs"` // sorted by Marshal
		Params  json.RawMessage   `json:"params"`
	}{layout, stage.Name, stage.Version, inputs, canonical})
	if err != nil {
		return record{}, err
	}
	sum := sha256.Sum256(preimage)
	return record{Key: hex.EncodeToString(sum[:]), Stage: stage.Name, Version: stage.Version, Inputs: inputs, Params: canonical}, nil
}

// canonicalJSON writes v with the keys of every object sorted and numbers as v
// wrote them.
func canonicalJSON(v any) (json.RawMessage, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var tree any
	if err := dec.Decode(&tree); err != nil {
		return nil, err
	}
	return json.Marshal(tree)
}

func (r record) output(path string, cached bool) Output {
	return Output{Key: r.Key, Dir: filepath.Join(path, filesDir), Cached: cached, Seconds: r.Seconds, hash: r.Hash}
}

// write puts the record into dir and both on the disk.
func (r record) write(dir string) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, recordFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(dir)
}

func readRecord(path string) (record, error) {
	b, err := os.ReadFile(filepath.Join(path, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, dirErr := os.Lstat(path); dirErr == nil {
			return record{}, fmt.Errorf("%s is missing", recordFile)
		}
	}
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("%s: %w", recordFile, err)
	}
	return r, nil
}

// check compares the files below dir with the record: which exist and how long
// they are, and with deep also what they hold.
func (r record) check(dir string, deep bool) error {
	if r.Hash != hashOf(r.Files) {
		return fmt.Errorf("%s contradicts itself", recordFile)
	}
	want := make(map[string]file, len(r.Files))
	for _, f := range r.Files {
		want[f.Path] = f
	}
	found := 0
	err := walk(dir, func(path string, info fs.FileInfo) error {
		found++
		f, known := want[path]
		switch {
		case !known:
			return fmt.Errorf("%s was added", path)
		case f.Size != info.Size():
			return fmt.Errorf("%s has %d bytes instead of %d", path, info.Size(), f.Size)
		case !deep:
			return nil
		}
		sum, err := hashFile(filepath.Join(dir, filepath.FromSlash(path)), false)
		if err == nil && sum != f.SHA256 {
			err = fmt.Errorf("%s has changed", path)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("its files are missing") // not ErrNotExist: something is there, and must go
	}
	if err == nil && found != len(r.Files) {
		err = fmt.Errorf("it has %d files instead of %d", found, len(r.Files))
	}
	return err
}

// listFiles hashes the files below dir, in the order of their names, and puts
// them on the disk.
func listFiles(ctx context.Context, dir string) ([]file, error) {
	files := []file{}
	err := walk(dir, func(path string, info fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		sum, err := hashFile(filepath.Join(dir, filepath.FromSlash(path)), true)
		if err != nil {
			return err
		}
		files = append(files, file{path, info.Size(), sum})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return files, syncDir(dir)
}

// walk calls f for every file below dir in the order of the paths, and refuses
// anything that is neither a file nor a folder.
func walk(dir string, f func(path string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file; a stage may write files and folders only", rel)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return f(filepath.ToSlash(rel), info)
	})
}

func hashFile(path string, sync bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	if sync {
		if err := f.Sync(); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashOf is the output's hash: SHA-256 over one line of JSON for each file.
func hashOf(files []file) string {
	h := sha256.New()
	enc := json.NewEncoder(h)
	for _, f := range files {
		if err := enc.Encode(f); err != nil {
			panic(fmt.Sprintf("pipeline: encode %+v: %v", f, err)) // strings and a number cannot fail
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
