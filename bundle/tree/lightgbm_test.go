package tree_test

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/bundle/tree"
)

// readLightGBM reads the trees of a LightGBM text model, those of one class in
// a multiclass model. It knows what the golden models use: numeric and
// categorical splits, missing type none or NaN.
func readLightGBM(t *testing.T, path string, class, classes int) *tree.Forest {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(src), "Tree=0")
	body, _, _ = strings.Cut("Tree=0"+body, "end of trees")
	f := &tree.Forest{Features: 1 + int(numbers(t, attributes(head)["max_feature_idx"])[0]), Root: []int32{0}}
	for i, text := range strings.Split(body, "Tree=")[1:] {
		if i%classes == class {
			addLightGBMTree(t, f, attributes(text))
		}
	}
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	return f
}

// addLightGBMTree appends a tree in preorder. LightGBM numbers inner nodes and
// leaves apart; leaf k is the child ~k.
func addLightGBMTree(t *testing.T, f *tree.Forest, a map[string]string) {
	leafValue, leafCount := numbers(t, a["leaf_value"]), numbers(t, a["leaf_count"])
	var feature, threshold, decision, left, right, count, bounds, words []float64
	if len(leafValue) > 1 {
		feature, threshold, decision = numbers(t, a["split_feature"]), numbers(t, a["threshold"]), numbers(t, a["decision_type"])
		left, right, count = numbers(t, a["left_child"]), numbers(t, a["right_child"]), numbers(t, a["internal_count"])
		bounds, words = numbers(t, a["cat_boundaries"]), numbers(t, a["cat_threshold"])
	}
	var add func(child int) int32
	add = func(child int) int32 {
		n := int32(len(f.Feature))
		f.Feature, f.Threshold = append(f.Feature, 0), append(f.Threshold, 0)
		f.Left, f.Right = append(f.Left, -1), append(f.Right, -1)
		f.MissingLeft, f.Set = append(f.MissingLeft, false), append(f.Set, -1)
		f.Value, f.Cover = append(f.Value, 0), append(f.Cover, 0)
		if child < 0 {
			f.Value[n], f.Cover[n] = leafValue[^child], leafCount[^child]
			return n
		}
		d := int(decision[child])
		f.Feature[n], f.Cover[n] = int32(feature[child]), count[child]
		if d&1 != 0 { // categorical: missing is in no set
			k := int(threshold[child])
			var set []uint64
			for i, w := range words[int(bounds[k]):int(bounds[k+1])] {
				if i%2 == 0 {
					set = append(set, 0)
				}
				set[i/2] |= uint64(w) << (32 * (i % 2))
			}
			f.Set[n] = int32(len(f.Sets))
			f.Sets = append(f.Sets, set)
		} else {
			f.Threshold[n] = threshold[child]
			switch missing := d >> 2 & 3; missing {
			case 0: // none seen in training: NaN counts as 0
				f.MissingLeft[n] = 0 <= threshold[child]
			case 2: // NaN goes the default way
				f.MissingLeft[n] = d&2 != 0
			default:
				t.Fatalf("missing type %d is not in the golden models", missing)
			}
		}
		f.Left[n] = add(int(left[child]))
		f.Right[n] = add(int(right[child]))
		return n
	}
	if len(leafValue) == 1 {
		add(^0)
	} else {
		add(0)
	}
	f.Root = append(f.Root, int32(len(f.Feature)))
}

func attributes(text string) map[string]string {
	out := map[string]string{}
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), "="); ok {
			out[k] = v
		}
	}
	return out
}

func numbers(t *testing.T, s string) []float64 {
	t.Helper()
	var out []float64
	for _, w := range strings.Fields(s) {
		x, err := strconv.ParseFloat(w, 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

// near returns an error unless got is want up to tol, relative to the larger of |want|
// and 1e-3.
func near(got, want, tol float64, what string, args ...any) error {
	if !(math.Abs(got-want) <= tol*max(math.Abs(want), 1e-3)) {
		return fmt.Errorf("%s = %v, want %v", fmt.Sprintf(what, args...), got, want)
	}
	return nil
}
