package decisions

import (
	"bytes"
	"math"
	"testing"

	"github.com/tandem-ml/tandem/bundle"
)

// FuzzPayload reads any bytes as payloads: no panic, and what can be read is
// written and read again without a change. It is inside the package because a
// checksum keeps damaged payloads from the outside.
func FuzzPayload(f *testing.F) {
	full, err := appendDecision(nil, &Decision{
		Project: "credit", Key: "4711", Bundle: "ab", Model: "credit v1", RequestID: "r", Decision: "bad",
		Margin: math.NaN(), Score: math.Inf(1), Inputs: []byte(`{"a":1}`),
		Reasons: []bundle.Reason{{Column: "a", Value: 1.5, Contribution: 2, Text: "a: 1.5"}, {Column: "b", Value: "x"}, {Value: true}, {Value: false}, {}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(full)
	f.Add(appendOutcome(nil, &Outcome{Value: "good"}))
	f.Add(appendLoss(nil, 3, Head{Records: 7}))
	f.Add(appendBoundary(nil, boundary{3, Head{Records: 7}}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, p []byte) {
		if d, err := decodeDecision(p); err == nil {
			once, err := appendDecision(nil, &d)
			if err != nil {
				t.Fatal(err)
			}
			again, err := decodeDecision(once)
			if err != nil {
				t.Fatal(err)
			}
			twice, err := appendDecision(nil, &again)
			if err != nil || !bytes.Equal(once, twice) {
				t.Fatalf("%x is read and written as %x, then as %x (%v)", p, once, twice, err)
			}
			project, key, err := decodeNames(p)
			if err != nil || string(project) != d.Project || string(key) != d.Key {
				t.Fatalf("names %q and %q, want %q and %q", project, key, d.Project, d.Key)
			}
		}
		if o, err := decodeOutcome(p); err == nil {
			if again, err := decodeOutcome(appendOutcome(nil, &o)); err != nil || again != o {
				t.Fatalf("outcome %+v became %+v (%v)", o, again, err)
			}
		}
		if lost, was, err := decodeLoss(p); err == nil && !bytes.Equal(appendLoss(nil, lost, was), p) {
			t.Fatalf("loss %x changed", p)
		}
		if at, err := decodeBoundary(p); err == nil && !bytes.Equal(appendBoundary(nil, at), p) {
			t.Fatalf("boundary %x changed", p)
		}
	})
}
