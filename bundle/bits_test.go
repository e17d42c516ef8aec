package bundle_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// The scoring path calls nothing of package math whose bits depend on the
// processor; the allowed functions are exact by definition.
func TestScoringPathCallsNothingWhoseBitsVary(t *testing.T) {
	t.Parallel()
	exact := map[string]bool{
		"Abs": true, "FMA": true, "Float64bits": true, "Float64frombits": true, "Inf": true, "IsInf": true, "IsNaN": true, "NaN": true,
		"MaxFloat64": true, "MaxInt32": true, "MaxInt64": true, "MinInt64": true, "Ln2": true, "Log2E": true, "Sqrt2": true,
	}
	var files []string
	for _, dir := range []string{".", "step", "tree", "linear", "num"} {
		found, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "math" && !exact[s.Sel.Name] {
					t.Errorf("%s: math.%s", set.Position(n.Pos()), s.Sel.Name)
				}
			}
			return true
		})
	}
}
