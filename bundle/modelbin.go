package bundle

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/tandem-ml/tandem/bundle/linear"
	"github.com/tandem-ml/tandem/bundle/tree"
)

// model.bin holds the fitted numbers of the members, little-endian, without
// padding; docs/bundle-format.md specifies it.
const (
	modelMagic = "TNDMODEL"
	kindTrees  = 1
	kindLinear = 2
)

// encodeModel writes the members' forests and linear models.
func encodeModel(members []Member) []byte {
	le := binary.LittleEndian
	out := []byte(modelMagic)
	out = le.AppendUint32(out, uint32(len(members)))
	for i := range members {
		if f := members[i].Trees; f != nil {
			out = append(out, kindTrees)
			out = appendForest(out, f)
			continue
		}
		m := members[i].Linear
		out = append(out, kindLinear)
		out = le.AppendUint32(out, uint32(len(m.Weight)))
		out = appendFloats(out, []float64{m.Intercept})
		out = appendFloats(out, m.Weight)
		out = appendFloats(out, m.Mean)
	}
	return out
}

func appendForest(out []byte, f *tree.Forest) []byte {
	le := binary.LittleEndian
	out = le.AppendUint32(out, uint32(f.Features))
	out = appendFloats(out, []float64{f.Base})
	out = le.AppendUint32(out, uint32(len(f.Root)-1))
	out = le.AppendUint32(out, uint32(len(f.Feature)))
	out = le.AppendUint32(out, uint32(len(f.Sets)))
	out = appendInts(out, f.Root)
	out = appendInts(out, f.Feature)
	out = appendFloats(out, f.Threshold)
	out = appendInts(out, f.Left)
	out = appendInts(out, f.Right)
	for _, b := range f.MissingLeft {
		var c byte
		if b {
			c = 1
		}
		out = append(out, c)
	}
	out = appendInts(out, f.Set)
	out = appendFloats(out, f.Value)
	out = appendFloats(out, f.Cover)
	for _, set := range f.Sets {
		out = le.AppendUint32(out, uint32(len(set)))
		for _, word := range set {
			out = le.AppendUint64(out, word)
		}
	}
	return out
}

func appendFloats(out []byte, v []float64) []byte {
	for _, x := range v {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(x))
	}
	return out
}

func appendInts(out []byte, v []int32) []byte {
	for _, x := range v {
		out = binary.LittleEndian.AppendUint32(out, uint32(x))
	}
	return out
}

// decodeModel reads model.bin into the members, which say how many there are.
// What the numbers mean is checked later, by NewModel.
func decodeModel(src []byte, members []Member) error {
	r := binReader{src: src}
	if string(r.take(len(modelMagic), 1)) != modelMagic {
		return fmt.Errorf("does not begin with %s", modelMagic)
	}
	if n := r.count(); r.err == nil && n != len(members) {
		return fmt.Errorf("has %d members, the manifest %d", n, len(members))
	}
	for i := range members {
		kind := r.take(1, 1)
		if r.err != nil {
			break
		}
		switch kind[0] {
		case kindTrees:
			members[i].Trees = r.forest()
		case kindLinear:
			n := r.count()
			m := &linear.Model{Intercept: r.float()}
			m.Weight, m.Mean = r.floats(n), r.floats(n)
			members[i].Linear = m
		default:
			return fmt.Errorf("member %d is of unknown kind %d", i, kind[0])
		}
	}
	if r.err != nil {
		return r.err
	}
	if len(r.src) > 0 {
		return fmt.Errorf("has %d bytes too many", len(r.src))
	}
	return nil
}

// binReader reads from the front of src. After the first error everything it
// reads is empty.
type binReader struct {
	src []byte
	err error
}

// take returns the next n items of size bytes, after making sure that they are
// there: nothing is allocated for a count that the file cannot hold.
func (r *binReader) take(n, size int) []byte {
	if r.err == nil && n > len(r.src)/size {
		r.err = fmt.Errorf("is cut off: %d items of %d bytes where %d bytes are left", n, size, len(r.src))
	}
	if r.err != nil {
		return nil
	}
	b := r.src[:n*size]
	r.src = r.src[n*size:]
	return b
}

func (r *binReader) count() int {
	b := r.take(1, 4)
	if b == nil {
		return 0
	}
	n := binary.LittleEndian.Uint32(b)
	if n > math.MaxInt32 {
		r.err = fmt.Errorf("says there are %d items", n)
		return 0
	}
	return int(n)
}

func (r *binReader) float() float64 {
	if v := r.floats(1); v != nil {
		return v[0]
	}
	return 0
}

func (r *binReader) floats(n int) []float64 {
	b := r.take(n, 8)
	if len(b) == 0 {
		return nil
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return out
}

func (r *binReader) ints(n int) []int32 {
	b := r.take(n, 4)
	if len(b) == 0 {
		return nil
	}
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

func (r *binReader) forest() *tree.Forest {
	f := &tree.Forest{Features: r.count(), Base: r.float()}
	trees, nodes, sets := r.count(), r.count(), r.count()
	f.Root = r.ints(trees + 1)
	f.Feature = r.ints(nodes)
	f.Threshold = r.floats(nodes)
	f.Left, f.Right = r.ints(nodes), r.ints(nodes)
	missingLeft := r.take(nodes, 1)
	f.MissingLeft = make([]bool, len(missingLeft))
	for i, c := range missingLeft {
		if c > 1 && r.err == nil {
			r.err = fmt.Errorf("node %d has a missing direction of %d, want 0 or 1", i, c)
		}
		f.MissingLeft[i] = c == 1
	}
	f.Set = r.ints(nodes)
	f.Value, f.Cover = r.floats(nodes), r.floats(nodes)
	for s := 0; s < sets && r.err == nil; s++ {
		b := r.take(r.count(), 8)
		set := make([]uint64, len(b)/8)
		for i := range set {
			set[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		f.Sets = append(f.Sets, set)
	}
	return f
}
