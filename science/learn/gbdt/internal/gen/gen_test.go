package main

import (
	"bytes"
	"os"
	"testing"
)

// The committed assembly is what the generator writes.
func TestUpToDate(t *testing.T) {
	var want bytes.Buffer
	write(&want)
	got, err := os.ReadFile("../kernel/rows_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("rows_amd64.s is stale: go generate ./science/learn/gbdt/internal/kernel")
	}
}
