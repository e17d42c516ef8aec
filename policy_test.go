package tandem

import (
	"os/exec"
	"sort"
	"strings"
	"testing"
)

// module is the import path of the root.
const module = "github.com/tandem-ml/tandem/"

// layers says which room may import which: a room may import rooms of lower
// layers, and its own sub-packages, and nothing else of the project. Rooms of
// one layer do not import each other but where also says so. The two halves,
// science and engineering, stand in one layer: what one needs of the other it
// declares as an interface and workflow plugs it in.
var layers = [][]string{
	{"data", "stats", "metrics", "chart"},
	{"project", "bundle"},
	{"science", "engineering"},
	{"workflow"},
	{"cmd"},
}

// also lists what a room may import beside lower layers.
var also = map[string][]string{
	"stats":   {"data/seed"},
	"metrics": {"data/seed", "stats"},
	"chart":   {},
	"bundle":  {},
}

// never lists packages that must not be linked, transitively, and why.
var never = []struct{ from, what, why string }{
	{"bundle", "github.com/duckdb", "a scorer links no C"},
	{"bundle", "modernc.org/sqlite", "a scorer opens no database"},
	{"bundle", module + "science", "production code must not drag training along"},
	{"engineering/serve", "github.com/duckdb", "a scorer links no C"},
	{"engineering/serve", module + "science", "the halves meet in workflow"},
	{"engineering/serve", "modernc.org/sqlite", "a scorer opens no database"},
	{"engineering/decisions", "modernc.org/sqlite", "the log is files"},
	{"engineering/decisions", "github.com/twmb", "Kafka lives in engineering/stream alone"},
	{"engineering/serve", "github.com/twmb", "Kafka lives in engineering/stream alone"},
	{"engineering/serve", "github.com/minio/minio-go", "buckets are engineering/fetch's alone"},
	{"cmd/tandem-scorer", "github.com/twmb", "the small scorer answers requests; streams are tandem serve's"},
	{"engineering/serve", "go.opentelemetry.io/otel/sdk", "OpenTelemetry lives in engineering/trace/otlp alone"},
	{"engineering/serve", "github.com/apache/arrow-go/v18/parquet", "a scorer reads no Parquet"},
	{"cmd/tandem-scorer", "github.com/apache/arrow-go/v18/parquet", "a scorer reads no Parquet"},
	{"cmd/tandem-scorer", "github.com/duckdb", "a scorer links no C"},
	{"cmd/tandem-scorer", "modernc.org/sqlite", "a scorer opens no database"},
	{"cmd/tandem-scorer", module + "science", "production code must not drag training along"},
	{"data", "github.com/duckdb", "DuckDB lives in data/ingest alone"},
}

type pkg struct {
	path    string
	imports []string
	deps    []string
}

func list(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}|{{join .Imports " "}}|{{join .Deps " "}}`, "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		part := strings.Split(line, "|")
		pkgs = append(pkgs, pkg{part[0], strings.Fields(part[1]), strings.Fields(part[2])})
	}
	return pkgs
}

func room(path string) string {
	rest, ok := strings.CutPrefix(path, module)
	if !ok {
		return ""
	}
	first, _, _ := strings.Cut(rest, "/")
	return first
}

func layerOf(name string) int {
	for i, l := range layers {
		for _, r := range l {
			if r == name {
				return i
			}
		}
	}
	return -1
}

// TestImportsFlowOneWay holds ARCHITECTURE.md's picture against the code.
func TestImportsFlowOneWay(t *testing.T) {
	for _, p := range list(t) {
		from := room(p.path)
		if from == "" || from == "bench" {
			continue
		}
		if layerOf(from) < 0 {
			t.Errorf("%s: the room %q is not in the import policy; add it to layers in policy_test.go", p.path, from)
			continue
		}
		for _, imp := range p.imports {
			to := room(imp)
			if to == "" || to == from || layerOf(to) < layerOf(from) {
				continue
			}
			if allowed(from, strings.TrimPrefix(imp, module)) {
				continue
			}
			t.Errorf("%s imports %s, but %s may import only lower rooms (%v)", p.path, imp, from, lower(from))
		}
	}
}

func allowed(from, imp string) bool {
	for _, a := range also[from] {
		if imp == a {
			return true
		}
	}
	return false
}

func lower(from string) []string {
	var out []string
	for i := 0; i < layerOf(from); i++ {
		out = append(out, layers[i]...)
	}
	sort.Strings(out)
	return append(out, also[from]...)
}

// TestNeverLinked keeps heavy and foreign things out of the scoring path.
func TestNeverLinked(t *testing.T) {
	for _, p := range list(t) {
		rest := strings.TrimPrefix(p.path, module)
		for _, rule := range never {
			if rest != rule.from && !(strings.HasPrefix(rest, rule.from+"/") && rest != "data/ingest") {
				continue
			}
			for _, d := range p.deps {
				if strings.HasPrefix(d, rule.what) {
					t.Errorf("%s links %s: %s", p.path, d, rule.why)
				}
			}
		}
	}
}
