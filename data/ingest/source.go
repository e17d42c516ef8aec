package ingest

import (
	"bufio"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ml/tandem/data"
)

// file is one file of a source.
type file struct {
	name string // as messages show it: the way the user wrote it
	path string // as the system opens it

	member string // the file of a ZIP archive that is read; "" is its only one

	size     int64
	modified time.Time

	// stream is what is read instead of path: it can be read once only, and is
	// decompressed already. as is the format that the caller says it has; 0
	// leaves it to the name and the first bytes.
	stream io.Reader
	as     format

	db *database // a table of it is read instead of path

	western bool // a byte that is not UTF-8 was found in it, perhaps far from its beginning
}

// resolve returns the files of a source in name order. A source is a path or a
// pattern of them (* ? [a-z]), relative to dir; a file of exactly that name
// comes first, so that "sales[1].csv" can be read.
func resolve(source, dir string) ([]file, error) {
	if source == "" {
		return nil, data.WithHint(errors.New("no source is named"), "name a file, for example data/applications.csv")
	}
	if scheme, _, found := strings.Cut(source, "://"); found {
		return nil, data.WithHint(fmt.Errorf("source %q: %s cannot be read as a file", source, scheme), "bring the data to a file and name that")
	}
	path := func(name string) string {
		if filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	if f, err := stat(source, path(source)); err == nil {
		return []file{f}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if archive, member, found := memberOf(source); found {
		files, err := resolve(archive, dir)
		for i := range files {
			files[i].name, files[i].member = files[i].name+"#"+member, member
		}
		return files, err
	}
	if !strings.ContainsAny(source, "*?[") {
		return nil, missing(source, path(source))
	}
	paths, err := filepath.Glob(path(source)) // in name order
	if err != nil {
		return nil, data.WithHint(fmt.Errorf("source %q: %w", source, err), "close the bracket, or write it as [[]")
	}
	var files []file
	for _, p := range paths {
		name := p
		if rel, err := filepath.Rel(dir, p); err == nil && dir != "" && !filepath.IsAbs(source) {
			name = rel
		}
		f, err := stat(name, p)
		if errors.Is(err, errFolder) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		return nil, data.WithHint(fmt.Errorf("no file matches %q", source), "check the folder and the ending; * stands for any letters within one name")
	}
	return files, nil
}

// memberOf takes a source apart that names a file of an archive, loans.zip#may.csv.
func memberOf(source string) (archive, member string, found bool) {
	i := strings.Index(strings.ToLower(source), ".zip#")
	if i < 0 || i+5 == len(source) {
		return source, "", false
	}
	return source[:i+4], source[i+5:], true
}

var errFolder = errors.New("is a folder")

func stat(name, path string) (file, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		if errors.Is(err, fs.ErrPermission) {
			return file{}, data.WithHint(fmt.Errorf("open %s: %w", name, err), "allow this user to read it")
		}
		if errors.Is(err, syscall.ELOOP) {
			return file{}, data.WithHint(fmt.Errorf("open %s: %w", name, err), "its links lead round in a loop; name the file itself")
		}
		return file{}, fmt.Errorf("open %s: %w", name, err)
	case info.IsDir():
		return file{}, data.WithHint(fmt.Errorf("%s %w", name, errFolder), "name a file in it, or all of one kind: %s", filepath.Join(name, "*.csv"))
	case !info.Mode().IsRegular():
		return file{}, data.WithHint(fmt.Errorf("%s is not a regular file", name), "a source is read twice, so pipes and devices cannot be one; write the data to a file")
	}
	return file{name: name, path: path, size: info.Size(), modified: info.ModTime()}, nil
}

// missing is the error for a file that is not there, with the nearest name that is.
func missing(name, path string) error {
	err := fmt.Errorf("there is no file %s: %w", name, fs.ErrNotExist)
	if to, linkErr := os.Readlink(path); linkErr == nil {
		return data.WithHint(fmt.Errorf("%s is a link to %s, which is not there: %w", name, to, fs.ErrNotExist), "mend the link, or name the file itself")
	}
	entries, dirErr := os.ReadDir(filepath.Dir(path))
	if dirErr != nil {
		return data.WithHint(err, "there is no folder %s either", filepath.Dir(path))
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if near := data.Nearest(filepath.Base(path), names); near != "" {
		return data.WithHint(err, "did you mean %s?", filepath.Join(filepath.Dir(name), near))
	}
	return data.WithHint(err, "paths are relative to %s", filepath.Dir(path))
}

// unchanged returns an error if a file is no longer what it was when the
// reading began: its two passes may have seen different rows.
func unchanged(files []file) error {
	for _, f := range files {
		if f.db != nil {
			continue
		}
		now, err := stat(f.name, f.path)
		if err != nil || now.size != f.size || !now.modified.Equal(f.modified) {
			return data.WithHint(fmt.Errorf("%s changed while it was read", f.name), "read it again once it is complete")
		}
	}
	return nil
}

// Hash returns the identity of a source's bytes without reading them as a
// table: the hex SHA-256 of the file or, for a pattern, of the hashes of its
// files, one a line in name order. It is Snapshot.SHA256 of [Read]. A relative
// source is resolved against dir. It returns ctx's error when cancelled.
func Hash(ctx context.Context, source, dir string) (string, error) {
	return HashOf(ctx, source, Options{Dir: dir})
}

func hash(ctx context.Context, files []file) (string, error) {
	var all bytes.Buffer
	one := ""
	for _, f := range files {
		in, err := os.Open(f.path)
		if err != nil {
			return "", fmt.Errorf("open %s: %w", f.name, err)
		}
		h := sha256.New()
		_, err = io.CopyBuffer(struct{ io.Writer }{h}, &stoppable{ctx, in}, make([]byte, 1<<20))
		in.Close()
		if err != nil {
			return "", readError(f.name, err)
		}
		one = hex.EncodeToString(h.Sum(nil))
		fmt.Fprintln(&all, one)
	}
	if len(files) == 1 {
		return one, nil
	}
	sum := sha256.Sum256(all.Bytes())
	return hex.EncodeToString(sum[:]), nil
}

// stoppable reads until its context is cancelled.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// format is how a file is written.
type format int

const (
	formatCSV format = iota + 1
	formatTSV
	formatLines   // one JSON object a line
	formatJSON    // a JSON array of objects, or objects one after the other
	formatParquet // read by DuckDB
	formatArrow   // an Arrow IPC stream
	formatSheet   // a sheet of a workbook, written as CSV
)

// input is an opened text file, decompressed.
type input struct {
	format format
	r      io.Reader
	close  func() error
	found  []data.Finding // what opening it guessed
}

// foreign are first bytes of files that look like data but need a step before.
var foreign = []struct{ magic, what, cure string }{
	{"\xd0\xcf\x11\xe0", "is an old spreadsheet", "save it as .xlsx, or export the sheet as CSV"},
	{"BZh", "is compressed with bzip2", "decompress it, or compress it with gzip"},
	{"\xfd7zXZ", "is compressed with xz", "decompress it, or compress it with gzip"},
	{"ARROW1", "is an Arrow file", "write it as a stream (pyarrow.ipc.new_stream), or as Parquet"},
	{"\x89PNG", "is a PNG picture", "name the file that holds the rows"},
	{"%PDF-", "is a PDF document", "export the table as CSV"},
	{"SQLite format 3", "is a SQLite database", "export the table as CSV"},
}

// open opens a file and tells its format from its first bytes and its name.
func open(ctx context.Context, f file, opt *Options) (_ *input, err error) {
	if f.stream != nil {
		return openStream(ctx, f, opt)
	}
	if f.size == 0 {
		return nil, empty(f.name)
	}
	in, err := os.Open(f.path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.name, err)
	}
	opened := &input{close: in.Close}
	defer func() {
		if err != nil {
			opened.close()
		}
	}()
	head, r, err := peek(&stoppable{ctx, in})
	if err != nil {
		return nil, readError(f.name, err)
	}
	name := strings.ToLower(f.name)
	if f.member != "" && !bytes.HasPrefix(head, []byte(magicZip)) {
		return nil, data.WithHint(fmt.Errorf("%s is no ZIP archive", f.path), "only archives have files to choose with #")
	}
	packed := true
	switch {
	case bytes.HasPrefix(head, []byte(magicZip)):
		inside, inner, workbook, err := openZip(in, f)
		if err != nil {
			return nil, err
		}
		if workbook {
			in.Close() // it is opened by its path
			return openSheet(ctx, f, opt.Dialect)
		}
		opened.close = func() error { return errors.Join(inside.Close(), in.Close()) }
		if head, r, err = peek(&stoppable{ctx, inside}); err != nil {
			return nil, readError(f.name, err)
		}
		name = strings.ToLower(inner)
		if len(head) == 0 {
			return nil, empty(f.name)
		}
	case bytes.HasPrefix(head, []byte(magicGzip)), bytes.HasPrefix(head, []byte(magicZstd)):
		unpacked, rest, release, err := unpack(r, head, name, f.size)
		if err == nil {
			opened.close = func() error { release(); return in.Close() }
			head, r, err = peek(unpacked)
		}
		if err != nil {
			return nil, readError(f.name, err)
		}
		name = rest
	case strings.HasSuffix(name, ".gz"):
		return nil, data.WithHint(fmt.Errorf("%s is not compressed with gzip, though its name says so", f.name), "take .gz off its name, or compress it")
	default:
		packed = false
	}
	if err := known(f.name, head); err != nil {
		return nil, err
	}
	if opened.format = f.as; opened.format == 0 {
		opened.format = detectFormat(name, head)
	}
	switch opened.format {
	case formatParquet:
		if packed {
			return nil, data.WithHint(fmt.Errorf("%s is a compressed Parquet file", f.name), "decompress it: Parquet compresses itself")
		}
	case formatArrow:
		opened.r = r
		return opened, nil
	}
	opened.r, opened.found, err = decode(r, opt.Dialect.Encoding, f.western)
	if err != nil {
		return nil, readError(f.name, err)
	}
	return opened, nil
}

// known returns an error if the first bytes of a file say that it needs a step
// before.
func known(name string, head []byte) error {
	for _, x := range foreign {
		if bytes.HasPrefix(head, []byte(x.magic)) {
			return data.WithHint(fmt.Errorf("%s %s", name, x.what), "%s", x.cure)
		}
	}
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n"))
	switch {
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")) && (bytes.Contains(text, []byte("<body")) || bytes.Contains(text, []byte("<head"))):
		return data.WithHint(fmt.Errorf("%s is a web page", name), "a page often stands in for a file that needs a login; download the file itself")
	case bytes.HasPrefix(text, []byte("<?xml")):
		return data.WithHint(fmt.Errorf("%s is an XML file", name), "export the table as CSV")
	}
	return nil
}

func empty(name string) error {
	return data.WithHint(fmt.Errorf("%s is empty", name), "check the export that wrote it")
}

// detectFormat tells the format from the name without .gz and the first bytes.
func detectFormat(name string, head []byte) format {
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return formatParquet
	case bytes.HasPrefix(head, []byte("\xff\xff\xff\xff")):
		return formatArrow
	}
	switch filepath.Ext(name) {
	case ".csv", ".txt":
		return formatCSV
	case ".tsv", ".tab":
		return formatTSV
	case ".jsonl", ".ndjson":
		return formatLines
	case ".json":
		return formatJSON
	case ".parquet", ".pq":
		return formatParquet // damaged: DuckDB says how
	case ".arrow", ".arrows":
		return formatArrow
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n")
	switch {
	case bytes.HasPrefix(text, []byte("[")):
		return formatJSON
	case bytes.HasPrefix(text, []byte("{")):
		return formatLines
	}
	return formatCSV
}

var bom = []byte("\xef\xbb\xbf")

// peek returns the first bytes of r, and a reader that begins with them.
func peek(r io.Reader) ([]byte, *bufio.Reader, error) {
	b, ok := r.(*bufio.Reader)
	if !ok {
		b = bufio.NewReaderSize(r, sampleSize)
	}
	head, err := b.Peek(512)
	if err == io.EOF {
		err = nil
	}
	return head, b, err
}

// readError names the file in an error met while reading it, with the cure.
func readError(name string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errBomb):
		return data.WithHint(fmt.Errorf("%s: %w", name, err), "unpack it by hand if that is right")
	case damaged(err):
		return data.WithHint(fmt.Errorf("%s is cut short or damaged: %w", name, err), "copy or download it again; gzip -t %s checks it", name)
	}
	var damaged flate.CorruptInputError
	if errors.As(err, &damaged) {
		return data.WithHint(fmt.Errorf("%s is damaged: %w", name, err), "copy or download it again; gzip -t %s checks it", name)
	}
	return fmt.Errorf("read %s: %w", name, err)
}
