package bundle_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
	"github.com/tandem-ml/tandem/data"
)

func encode(t testing.TB, b *bundle.Bundle) []byte {
	t.Helper()
	raw, err := bundle.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		b := sample(t, seed)
		raw := encode(t, b)
		again, err := bundle.Decode(raw)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, encode(t, again)) || again.ID() != b.ID() || len(b.ID()) != 64 {
			t.Errorf("seed %d: bytes or id %q, %q differ after a round trip", seed, b.ID(), again.ID())
		}
		if !reflect.DeepEqual(b.Members, again.Members) || !reflect.DeepEqual(b.Manifest, again.Manifest) ||
			!reflect.DeepEqual(b.Card, again.Card) || !reflect.DeepEqual(b.Profile, again.Profile) {
			t.Errorf("seed %d: parts differ after a round trip", seed)
		}
		rows := applicants(rand.New(rand.NewPCG(seed, 2)), 100)
		want, got := make([]float64, 100), make([]float64, 100)
		b.ScoreRows(make([]float64, 100), want, rows)
		again.ScoreRows(make([]float64, 100), got, rows)
		for i := range want {
			if !sameBits(want[i], got[i]) {
				t.Fatalf("seed %d: row %d scores as %v, and as %v once stored", seed, i, want[i], got[i])
			}
		}
	}
	first, again, other := sample(t, 1).ID(), sample(t, 1).ID(), sample(t, 2).ID()
	if first != again || first == other {
		t.Error("ids do not follow the content")
	}
}

func TestScoresProfileIsKept(t *testing.T) {
	t.Parallel()
	p := parts(t, 1)
	p.Scores = data.ColumnProfile{Name: "score", Kind: data.Number, Count: 3, Mean: 0.25, Max: 0.5}
	b, err := bundle.New(p)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(b.Scores, p.Scores) {
		t.Errorf("scores %+v, want %+v", b.Scores, p.Scores)
	}
}

func TestSignatureIsNoPartOfTheID(t *testing.T) {
	t.Parallel()
	p := parts(t, 1)
	p.Signature = []byte("signed by a risk officer")
	b, err := bundle.New(p)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Signature, p.Signature) {
		t.Errorf("signature %q", b.Signature)
	}
	if b.ID() != sample(t, 1).ID() {
		t.Error("signing changed the id")
	}
}

// The id is what sha256sum says of the unpacked entries.
func TestIDFromOutside(t *testing.T) {
	t.Parallel()
	b := sample(t, 1)
	raw := encode(t, b)
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var lines, names []string
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name)
		lines = append(lines, fmt.Sprintf("%s %x", f.Name, sha256.Sum256(body)))
	}
	want := "manifest.json contract.json steps.json model.bin calibration.json profile.json card.json tests.json"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("entries %s, want %s", got, want)
	}
	slices.Sort(lines)
	h := sha256.New()
	for _, line := range lines {
		name, sum, _ := strings.Cut(line, " ")
		fmt.Fprintf(h, "%s  %s\n", sum, name)
	}
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != b.ID() {
		t.Errorf("id %s, from the entries %s", b.ID(), got)
	}
}

func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	raw := encode(t, small(t))
	bits := []byte{1, 2, 4, 8, 16, 32, 64, 128}
	if testing.Short() {
		bits = bits[5:6]
	}
	for i := range raw {
		for _, bit := range bits {
			raw[i] ^= bit
			if _, err := bundle.Decode(raw); err == nil {
				t.Errorf("byte %d of %d changed by %#x: still loads", i, len(raw), bit)
			}
			raw[i] ^= bit
		}
	}
	for n := range raw {
		if _, err := bundle.Decode(raw[:n]); err == nil {
			t.Errorf("cut to %d of %d bytes: still loads", n, len(raw))
		}
	}
	if _, err := bundle.Decode(raw); err != nil {
		t.Fatal(err)
	}
}

// small is the smallest bundle that has trees, a set and a linear member.
func small(t testing.TB) *bundle.Bundle {
	t.Helper()
	p := parts(t, 3)
	f := p.Members[0].Trees
	f.Root = f.Root[:2]
	n := f.Root[1]
	f.Feature, f.Threshold, f.Left, f.Right = f.Feature[:n], f.Threshold[:n], f.Left[:n], f.Right[:n]
	f.MissingLeft, f.Set, f.Value, f.Cover = f.MissingLeft[:n], f.Set[:n], f.Value[:n], f.Cover[:n]
	m, err := bundle.NewModel(bundle.Model{Contract: p.Contract, Members: p.Members, Calibration: p.Calibration, Decision: p.Decision})
	if err != nil {
		t.Fatal(err)
	}
	p.Model = *m
	p.Tests = m.TestRows(applicants(rand.New(rand.NewPCG(3, 3)), 2))
	b, err := bundle.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A part is one entry of a file that a test puts together.
type part struct{ name, body string }

// unpack returns the entries of a bundle; pack writes them again, without any
// of the checks.
func unpack(t testing.TB, raw []byte) []part {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	var out []part
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, part{f.Name, string(body)})
	}
	return out
}

func pack(t testing.TB, parts []part, header func(*zip.FileHeader)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		//lint:ignore SA1019 CreateRaw writes these fields as they are, and ignores Modified
		h := &zip.FileHeader{Name: p.name, CreatorVersion: 10, ReaderVersion: 10, ModifiedDate: 0x21,
			CRC32: crc32.ChecksumIEEE([]byte(p.body)), CompressedSize64: uint64(len(p.body)), UncompressedSize64: uint64(len(p.body))}
		if header != nil {
			header(h)
		}
		f, err := w.CreateRaw(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Go's own ZIP writer makes the same bytes when told the same headers.
func TestFileIsAPlainZIP(t *testing.T) {
	t.Parallel()
	raw := encode(t, sample(t, 1))
	if got := pack(t, unpack(t, raw), nil); !bytes.Equal(got, raw) {
		t.Errorf("archive/zip writes %d bytes, Encode %d, or others", len(got), len(raw))
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	raw := encode(t, small(t))
	change := func(name, old, new string) func([]part) []part {
		return func(p []part) []part {
			for i := range p {
				if p[i].name == name {
					if !strings.Contains(p[i].body, old) {
						t.Fatalf("%s has no %q: %s", name, old, p[i].body)
					}
					p[i].body = strings.Replace(p[i].body, old, new, 1)
				}
			}
			return p
		}
	}
	for _, c := range []struct {
		name, want string
		harm       func([]part) []part
	}{
		{"absent entry", `"card.json" is absent`, func(p []part) []part { return slices.DeleteFunc(p, func(e part) bool { return e.name == "card.json" }) }},
		{"unknown entry", "does not belong", func(p []part) []part { return append(p, part{"readme.txt", "hi"}) }},
		{"repeated entry", "occurs twice", func(p []part) []part { return append(p, p[7]) }},
		{"path", "only a-z", func(p []part) []part { return append(p, part{"../signature", ""}) }},
		{"folder", "only a-z", func(p []part) []part { return append(p, part{"a/", ""}) }},
		{"long name", "name of", func(p []part) []part { return append(p, part{strings.Repeat("a", 65), ""}) }},
		{"order", "out of order", func(p []part) []part { p[1], p[2] = p[2], p[1]; return p }},
		{"manifest not first", "not a bundle", func(p []part) []part { p[0], p[1] = p[1], p[0]; return p }},
		{"many entries", "more than", func(p []part) []part {
			for i := range 40 {
				p = append(p, part{strings.Repeat("a", i+1), ""})
			}
			return p
		}},
		{"large signature", "the limit", func(p []part) []part { return append(p, part{"signature", strings.Repeat("a", 70000)}) }},
		{"newer format", "newer Tandem", change("manifest.json", `"format":1`, `"format":2,"other":true`)},
		{"format 0", "does not exist", change("manifest.json", `"format":1`, `"format":0`)},
		{"unknown field", "unknown field", change("manifest.json", `"seed"`, `"sead":1,"seed"`)},
		{"name twice", "occurs twice", change("card.json", `"name"`, `"name":"x","name"`)},
		{"text behind", "after the JSON value", change("card.json", `{`, `{}{`)},
		{"not UTF-8", "UTF-8", change("card.json", `"credit"`, "\"\xff\"")},
		{"another task", "task", change("manifest.json", `"task":"binary"`, `"task":"regression"`)},
		{"unknown task", "task", change("manifest.json", `"task":"binary"`, `"task":"clustering"`)},
		{"another target", "target", change("manifest.json", `"target":"Status"`, `"target":"Job"`)},
		{"member more", "plans", change("manifest.json", `{"learner":"gbdt"`, `{"learner":"x","weight":1},{"learner":"gbdt"`)},
		{"another weight", "test row 0", change("manifest.json", `"weight":0.7`, `"weight":0.8`)},
		{"another slope", "test row 0", change("calibration.json", `"a":0.9`, `"a":0.8`)},
		{"no positive", "labels", change("calibration.json", `"positive":"bad",`, ``)},
		{"no decision", "two labels", change("calibration.json", `"positive":"bad","negative":"good",`, ``)},
		{"another constant", "test row", change("steps.json", `"mean":120`, `"mean":121`)},
		{"unknown operation", "unknown operation", change("steps.json", `"op":"month"`, `"op":"year"`)},
		{"another category order", "sorted", change("contract.json", `"fixed","freelance"`, `"freelance","fixed"`)},
		{"bounds", "above max", change("contract.json", `"max":1000`, `"max":-1000`)},
		{"another score", "test row 0", change("tests.json", `"score":"0.9005182241463738"`, `"score":"0.25"`)},
		{"another text of a number", "shortest", change("tests.json", `"score":"0.`, `"score":"00.`)},
		{"test row too long", "values", change("tests.json", `"row":["`, `"row":["1","`)},
		{"not a number", "not a number", change("tests.json", `"score":"`, `"score":"x`)},
		{"no tests", "no test rows", func(p []part) []part { p[7].body = "[]"; return p }},
		{"model magic", "TNDMODEL", change("model.bin", "TNDMODEL", "TNDMODUL")},
		{"model too long", "too many", func(p []part) []part { p[3].body += "x"; return p }},
		{"model too short", "cut off", func(p []part) []part { p[3].body = p[3].body[:100]; return p }},
		{"model empty", "TNDMODEL", func(p []part) []part { p[3].body = ""; return p }},
		{"model with huge counts", "cut off", func(p []part) []part {
			b := []byte(p[3].body)
			binary.LittleEndian.PutUint32(b[29:], math.MaxInt32) // nodes of the first forest
			p[3].body = string(b)
			return p
		}},
		{"kind of member", "unknown kind", func(p []part) []part {
			p[3].body = p[3].body[:12] + "\x07" + p[3].body[13:]
			return p
		}},
	} {
		_, err := bundle.Decode(pack(t, c.harm(unpack(t, raw)), nil))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.want)
		}
	}

	p := unpack(t, raw)
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"empty", "not a bundle", nil},
		{"text", "not a bundle", []byte("hello")},
		{"empty archive", "not a bundle", pack(t, nil, nil)},
		{"prefix", "not a bundle", append([]byte("MZ"), raw...)},
		{"trailing byte", "directory", append(slices.Clone(raw), 0)},
		{"comment", "directory", append(slices.Concat(raw[:len(raw)-2], []byte{1, 0}), 'x')},
		//lint:ignore SA1019 as in pack
		{"time", "header", pack(t, p, func(h *zip.FileHeader) { h.ModifiedTime = 5 })},
		{"extra", "manifest.json", pack(t, p, func(h *zip.FileHeader) { h.Extra = []byte{1, 0, 0, 0} })},
		{"attributes", "directory", pack(t, p, func(h *zip.FileHeader) { h.ExternalAttrs = 1 })},
		{"compressed", "compressed", pack(t, p, func(h *zip.FileHeader) { h.Method = zip.Deflate })},
		{"encrypted", "encrypted", pack(t, p, func(h *zip.FileHeader) { h.Flags = 1 })},
		{"checksum", "checksum", pack(t, p, func(h *zip.FileHeader) { h.CRC32++ })},
		{"size", "", pack(t, p, func(h *zip.FileHeader) { h.CompressedSize64, h.UncompressedSize64 = math.MaxUint32-1, math.MaxUint32-1 })},
		{"twice the archive", "directory", append(slices.Clone(raw), raw...)},
	} {
		if _, err := bundle.Decode(c.file); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.want)
		}
	}
	var hinted *data.Hinted
	_, err := bundle.Decode(pack(t, change("manifest.json", `"format":1`, `"format":9`)(unpack(t, raw)), nil))
	if !errors.As(err, &hinted) || !strings.Contains(hinted.Hint, "upgrade") {
		t.Errorf("a newer format is refused without a cure: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, want string
		harm       func(b *bundle.Bundle)
	}{
		{"NaN in the card", "card.json", func(b *bundle.Bundle) { b.Card.Threshold = nan }},
		{"other members", "members", func(b *bundle.Bundle) { b.Manifest.Members = []bundle.MemberInfo{{Learner: "gbdt", Weight: 1}} }},
		{"many reasons", "reasons", func(b *bundle.Bundle) { b.Manifest.Reasons = 101 }},
		{"another format", "format", func(b *bundle.Bundle) { b.Manifest.Format = 2 }},
		{"a margin that is off by one bit", "test row 1", func(b *bundle.Bundle) { b.Tests[1].Margin = math.Nextafter(b.Tests[1].Margin, 9) }},
		{"a short test row", "values", func(b *bundle.Bundle) { b.Tests[0].Row = b.Tests[0].Row[1:] }},
		{"a large signature", "signature", func(b *bundle.Bundle) { b.Signature = make([]byte, 100_000) }},
	} {
		p := parts(t, 1)
		c.harm(&p)
		if _, err := bundle.New(p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", c.name, err, c.want)
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "credit.tandem")
	first, second := sample(t, 1), sample(t, 2)
	for _, b := range []*bundle.Bundle{first, second} { // the second replaces the first
		if err := bundle.WriteFile(path, b); err != nil {
			t.Fatal(err)
		}
		got, err := bundle.Open(path)
		if err != nil || got.ID() != b.ID() {
			t.Fatalf("Open: %v", err)
		}
	}
	bad := *first
	bad.Card.Threshold = inf
	if err := bundle.WriteFile(path, &bad); err == nil {
		t.Error("a bundle that cannot be stored was written")
	}
	if got, err := bundle.Open(path); err != nil || got.ID() != second.ID() {
		t.Errorf("a failed write harmed the file: %v", err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("files left behind: %v", files)
	}
	if err := bundle.WriteFile(filepath.Join(dir, "none", "x.tandem"), first); err == nil || !strings.Contains(err.Error(), `write bundle "`) {
		t.Errorf("writing into no folder: %v", err)
	}
	for name, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file", dir: "is not a file",
	} {
		if _, err := bundle.Open(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Open(%q): %v, want one about %q", name, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(f, small(f)))
	f.Add(encode(f, sample(f, 1)))
	f.Add(encode(f, means(f)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, err := bundle.Decode(raw)
		if err != nil {
			return
		}
		row := make([]float64, b.Layout().Cols())
		for i := range row {
			row[i] = math.NaN()
		}
		margin, _ := b.Score(row)
		if _, again := b.Contributions(make([]float64, len(row)), row); !sameBits(margin, again) {
			t.Errorf("margins %v and %v", margin, again)
		}
		again, err := bundle.Decode(encode(t, b))
		if err != nil {
			t.Fatalf("what was loaded and stored does not load: %v", err)
		}
		if len(again.Tests) != len(b.Tests) {
			t.Error("tests were lost")
		}
	})
}

// FuzzParts changes one part and repairs the archive around it, so that the
// fuzzer gets past the checksums.
func FuzzParts(f *testing.F) {
	raw := encode(f, small(f))
	for i, p := range unpack(f, raw) {
		f.Add(i, []byte(p.body))
	}
	f.Add(2, []byte(unpack(f, encode(f, means(f)))[2].body))
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		p := unpack(t, raw)
		p[uint(which)%uint(len(p))].body = string(body)
		if b, err := bundle.Decode(pack(t, p, nil)); err == nil {
			b.Reasons(b.Tests[0].Row, 4, true, b.Manifest.Texts)
		}
	})
}
