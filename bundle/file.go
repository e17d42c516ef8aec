package bundle

import (
	"fmt"
	"io"
	"os"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
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
		return nil, durable.Plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, durable.Plain(err)
	case !info.Mode().IsRegular():
		return nil, data.WithHint(fmt.Errorf("is not a file"), "name the .tandem file itself")
	case info.Size() > MaxFileSize:
		return nil, fmt.Errorf("the file has %d bytes, and %d is the limit", info.Size(), MaxFileSize)
	}
	src, err := io.ReadAll(io.LimitReader(f, MaxFileSize+1)) // it may grow meanwhile
	if err != nil {
		return nil, durable.Plain(err)
	}
	return Decode(src)
}

// WriteFile writes the bundle to the named file, replacing what was there. The
// file appears whole or not at all: it is written beside, flushed to the disk
// and renamed.
func WriteFile(path string, b *Bundle) error {
	raw, err := Encode(b)
	if err == nil {
		err = durable.Plain(durable.Write(path, 0o644, durable.Bytes(raw)))
	}
	if err != nil {
		return fmt.Errorf("write bundle %q: %w", path, err)
	}
	return nil
}
