package project_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/project"
)

var update = flag.Bool("update", false, "write docs/project-file.md")

func TestReference(t *testing.T) {
	t.Parallel()
	const path = "../docs/project-file.md"
	want := project.Reference()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what the table of keys says; run: go test ./project -run TestReference -update", path)
	}
}

// TestExampleFile holds the example to its promise: it is accepted, and it
// shows every key that can stand beside the others.
func TestExampleFile(t *testing.T) {
	t.Parallel()
	if _, err := project.Parse("tandem.yaml", []byte(project.ExampleFile)); err != nil {
		t.Error(err)
	}
	for _, k := range project.Keys() {
		if k.Path == "data.sql" || k.Path == "data.files" {
			continue // stand in the place of data.source; the page has an example of their own
		}
		word := k.Path[strings.LastIndex(k.Path, ".")+1:] + ":"
		if k.Supported != strings.Contains(project.ExampleFile, word) {
			t.Errorf("key %q: supported is %v, and the example disagrees", k.Path, k.Supported)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range project.Keys() {
		if seen[k.Path] || k.Doc == "" || k.Supported == (k.Value == "") {
			t.Errorf("key %+v occurs twice or lacks its words", k)
		}
		seen[k.Path] = true
	}
}
