package ingest

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/tandem-ml/tandem/data"
)

// A compressed file may grow without anyone's notice: a small file of zeros
// compresses a thousandfold. Text of rows does not come near.
const (
	mostGrowth = 200     // times the size of the file
	freeGrowth = 1 << 26 // bytes that any file may grow to
)

// grown reads what a compressed file holds, up to a bound.
type grown struct {
	r     io.Reader
	n     int64
	limit int64
}

var errBomb = data.WithHint(fmt.Errorf("it unpacks to over %d times its size", mostGrowth), "unpack it by hand if that is right")

func (g *grown) Read(p []byte) (int, error) {
	n, err := g.r.Read(p)
	if g.n += int64(n); g.n > g.limit {
		return 0, errBomb
	}
	return n, err
}

func limited(r io.Reader, size int64) io.Reader {
	return &grown{r: r, limit: max(freeGrowth, size*mostGrowth)}
}

const (
	magicGzip = "\x1f\x8b"
	magicZstd = "\x28\xb5\x2f\xfd"
	magicZip  = "PK\x03\x04"
)

// unpack undoes compression by gzip or zstd. size is that of the compressed
// file, 0 where it is not known: then any growth is allowed, since a stream is
// read in blocks. rest is the name without the ending of the compression.
func unpack(r *bufio.Reader, head []byte, name string, size int64) (_ *bufio.Reader, rest string, close func(), err error) {
	close = func() {}
	var inner io.Reader
	switch {
	case bytes.HasPrefix(head, []byte(magicGzip)):
		rest = strings.TrimSuffix(name, ".gz")
		inner, err = gzip.NewReader(r)
	case bytes.HasPrefix(head, []byte(magicZstd)):
		rest = strings.TrimSuffix(strings.TrimSuffix(name, ".zst"), ".zstd")
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20)); err == nil {
			inner, close = packed{z}, z.Close
		}
	default:
		return r, name, close, nil
	}
	if err != nil {
		return nil, "", close, fmt.Errorf("%w: %w", errPacked, err)
	}
	if size > 0 {
		inner = limited(inner, size)
	}
	return bufio.NewReaderSize(inner, sampleSize), rest, close, nil
}

// openZip opens the file of an archive that is chosen, or the only one that it
// holds; folders, hidden files and what a Mac adds do not count. It reports
// whether the archive is a workbook.
func openZip(opened *os.File, f file) (in io.ReadCloser, inner string, workbook bool, err error) {
	name, size := f.name, f.size
	z, err := zip.NewReader(opened, size)
	if err != nil {
		return nil, "", false, data.WithHint(fmt.Errorf("%s is a damaged ZIP archive: %w", name, err), "copy or download it again; unzip -t %s checks it", name)
	}
	var files []*zip.File
	var names []string
	for _, e := range z.File {
		base := path.Base(e.Name)
		switch {
		case e.Name == "xl/workbook.xml" && f.member == "":
			return nil, "", true, nil
		case strings.HasSuffix(e.Name, "/"), strings.HasPrefix(base, "."), strings.HasPrefix(e.Name, "__MACOSX/"):
		default:
			files, names = append(files, e), append(names, e.Name)
		}
	}
	if f.member != "" {
		files = slices.DeleteFunc(files, func(e *zip.File) bool { return e.Name != f.member })
		if len(files) != 1 {
			return nil, "", false, data.WithHint(fmt.Errorf("%s: the archive has %s of that name", name, plural(len(files), "file")),
				"it holds %s", strings.Join(names[:min(5, len(names))], ", "))
		}
	}
	if len(files) != 1 {
		err := fmt.Errorf("%s is a ZIP archive of %s: %s", name, plural(len(files), "file"), strings.Join(names[:min(5, len(names))], ", "))
		if len(files) == 0 || !strings.HasSuffix(strings.ToLower(name), ".zip") {
			return nil, "", false, data.WithHint(err, "unpack it, and name the file or a pattern of files")
		}
		return nil, "", false, data.WithHint(err, "name one as %s#%s, or unpack it and name a pattern of files", name, names[0])
	}
	r, err := files[0].Open()
	if err != nil {
		return nil, "", false, data.WithHint(fmt.Errorf("%s: %s: %w", name, files[0].Name, err), "copy or download it again")
	}
	return struct {
		io.Reader
		io.Closer
	}{limited(r, size), r}, files[0].Name, false, nil
}

// errPacked is met where the beginning of a compressed file is none.
var errPacked = errors.New("the compression cannot be undone")

// packed marks the errors of a decompression.
type packed struct{ r io.Reader }

func (p packed) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errPacked, err)
	}
	return n, err
}

// damaged reports whether an error says that compressed bytes are not what they
// were.
func damaged(err error) bool {
	for _, e := range [...]error{errPacked, io.ErrUnexpectedEOF, gzip.ErrChecksum, gzip.ErrHeader, zip.ErrChecksum, zip.ErrFormat} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
