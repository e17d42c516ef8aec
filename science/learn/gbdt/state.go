package gbdt

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math"
	"reflect"
	"slices"

	"github.com/tandem-ml/tandem/bundle/tree"
	"github.com/tandem-ml/tandem/science/learn"
)

// state is a fit between two rounds: what its rows and settings do not tell.
// Margins are not in it, for the trees give the same bits again.
type state struct {
	rounds  int            // that have grown trees
	forests []*tree.Forest // per output
	stop    *stopping      // nil: there are no validation rows
}

// state returns where b is; it is valid until the next round.
func (b *booster) state() *state {
	s := &state{rounds: b.rounds}
	for _, builder := range b.builders {
		s.forests = append(s.forests, builder.first(builder.trees()))
	}
	if b.valid != nil {
		s.stop = &b.valid.stopping
	}
	return s
}

// A state's bytes, all numbers little endian:
//
//	magic      16 bytes
//	version    uint32, of this format
//	learned    uint32, see there
//	settings   32 bytes, fingerprint of the settings and the seed
//	data       32 bytes, fingerprint of the rest of [learn.Train]
//	rounds     uint64
//	outputs    uint32
//	validated  uint32, 1 if the next three are there
//	best       float64
//	waited     uint64
//	bestTrees  uint64 for each output
//	forests    for each output: features, trees, nodes, sets (uint64 each), base
//	           (float64), then the arrays of [tree.Forest]; of Sets first the
//	           numbers of words (int32), then the words of all
//	sum        32 bytes, SHA-256 of all before
const (
	stateMagic   = "tandem gbdt run\n"
	stateVersion = 1
)

// learned is raised when fits learn something else from the same input, as
// TestFrozen notices: a fit cannot be begun by one version and ended by another.
const learned = 1

// identity tells which fit a state is of.
type identity struct{ Settings, Data [sha256.Size]byte }

// stateHeader is what stands before the rounds.
type stateHeader struct {
	Magic            [16]byte
	Version, Learned uint32
	Identity         identity
}

const (
	headerSize = len(stateMagic) + 2*4 + 2*sha256.Size
	nodeSize   = 4 + 8 + 4 + 4 + 1 + 4 + 8 + 8 // bytes of a node
)

// encode returns the bytes of a state.
func (s *state) encode(of identity) []byte {
	h := stateHeader{Version: stateVersion, Learned: learned, Identity: of}
	copy(h.Magic[:], stateMagic)
	var out []byte
	put := func(parts ...any) {
		for _, part := range parts {
			grown, err := binary.Append(out, binary.LittleEndian, part)
			if err != nil {
				panic(err) // a type without a fixed size
			}
			out = grown
		}
	}
	put(h, uint64(s.rounds), uint32(len(s.forests)))
	if s.stop == nil {
		put(uint32(0))
	} else {
		put(uint32(1), s.stop.best, uint64(s.stop.waited))
		for _, n := range s.stop.bestTrees {
			put(uint64(n))
		}
	}
	for _, f := range s.forests {
		words := make([]int32, len(f.Sets))
		for i, set := range f.Sets {
			words[i] = int32(len(set))
		}
		put(uint64(f.Features), uint64(len(f.Root)-1), uint64(len(f.Feature)), uint64(len(f.Sets)), f.Base,
			f.Root, f.Feature, f.Threshold, f.Left, f.Right, f.MissingLeft, f.Set, f.Value, f.Cover, words)
		for _, set := range f.Sets {
			put(set)
		}
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

var (
	errCut     = errors.New("is cut short")
	errForeign = errors.New("is not the state of a fit")
)

// decodeHeader reads the beginning of a state.
func decodeHeader(src []byte) (identity, error) {
	if len(src) < len(stateMagic) || string(src[:len(stateMagic)]) != stateMagic {
		return identity{}, errForeign
	}
	var h stateHeader
	if _, err := binary.Decode(src, binary.LittleEndian, &h); err != nil {
		return identity{}, errCut
	}
	if h.Version != stateVersion || h.Learned != learned {
		return identity{}, errors.New("was written by another version of Tandem")
	}
	return h.Identity, nil
}

// decodeState is the reverse of encode. It returns an error for bytes that are
// not from there, and needs no more memory than a small multiple of theirs.
func decodeState(src []byte) (*state, error) {
	if _, err := decodeHeader(src); err != nil {
		return nil, err
	}
	end := len(src) - sha256.Size
	if end < headerSize {
		return nil, errCut
	}
	if sum := sha256.Sum256(src[:end]); !bytes.Equal(sum[:], src[end:]) {
		return nil, errors.New("is damaged: its checksum is not that of its content")
	}
	r := reader{rest: src[headerSize:end]}
	s := &state{rounds: r.count(math.MaxInt32)}
	outputs, validated := r.uint32(), r.uint32()
	if outputs < 1 || outputs > maxClasses || validated > 1 {
		return nil, fmt.Errorf("has %d outputs and %d for whether there are validation rows", outputs, validated)
	}
	if validated == 1 {
		s.stop = &stopping{best: r.float64(), waited: r.count(math.MaxInt32)}
		for range outputs {
			s.stop.bestTrees = append(s.stop.bestTrees, r.count(math.MaxInt32))
		}
	}
	for out := range int(outputs) {
		f, err := r.forest()
		if err != nil {
			return nil, fmt.Errorf("forest %d: %w", out, err)
		}
		if s.stop != nil && s.stop.bestTrees[out] > len(f.Root)-1 {
			return nil, fmt.Errorf("has %d trees of output %d, and %d were best", len(f.Root)-1, out, s.stop.bestTrees[out])
		}
		s.forests = append(s.forests, f)
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("has %d bytes behind its end", len(r.rest))
	}
	return s, r.err
}

// reader reads the parts of a state. After its first error it gives zeroes.
type reader struct {
	rest []byte
	err  error
}

// read fills a number or a slice.
func (r *reader) read(into any) {
	if r.err != nil {
		return
	}
	n := binary.Size(into)
	if n > len(r.rest) {
		r.err = errCut
		return
	}
	// Decode must not see more: of Go 1.26, it runs beyond the end of a []bool.
	_, r.err = binary.Decode(r.rest[:n], binary.LittleEndian, into)
	r.rest = r.rest[n:]
}

func (r *reader) uint32() (x uint32)   { r.read(&x); return x }
func (r *reader) float64() (x float64) { r.read(&x); return x }

// count reads how many of something there are.
func (r *reader) count(most int) int {
	var n uint64
	r.read(&n)
	if r.err == nil && n > uint64(most) {
		r.err = fmt.Errorf("has a count of %d, at most %d make sense here", n, most)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) forest() (*tree.Forest, error) {
	f := &tree.Forest{Features: r.count(math.MaxInt32)}
	// What is counted takes bytes, so the bytes bound what is allocated.
	left := len(r.rest)
	trees, nodes, sets := r.count(left/4), r.count(left/nodeSize), r.count(left/4)
	f.Base = r.float64()
	if r.err != nil {
		return nil, r.err
	}
	f.Root = make([]int32, trees+1)
	f.Feature, f.Threshold = make([]int32, nodes), make([]float64, nodes)
	f.Left, f.Right, f.MissingLeft = make([]int32, nodes), make([]int32, nodes), make([]bool, nodes)
	f.Set, f.Value, f.Cover = make([]int32, nodes), make([]float64, nodes), make([]float64, nodes)
	words := make([]int32, sets)
	for _, part := range []any{f.Root, f.Feature, f.Threshold, f.Left, f.Right, f.MissingLeft, f.Set, f.Value, f.Cover, words} {
		r.read(part)
	}
	total := 0
	for _, n := range words {
		if n < 1 || n > tree.MaxSetWords {
			return nil, fmt.Errorf("has a set of %d words", n)
		}
		total += int(n)
	}
	if r.err == nil && total > len(r.rest)/8 {
		r.err = errCut
	}
	if r.err != nil {
		return nil, r.err
	}
	all := make([]uint64, total)
	r.read(all)
	f.Sets = make([][]uint64, 0, sets)
	for _, n := range words {
		f.Sets = append(f.Sets, all[:n:n])
		all = all[n:]
	}
	return f, f.Check()
}

// identify returns the fingerprints of a fit: of everything that can be seen in
// what it learns.
func identify(ctx context.Context, c *crew, t learn.Train, s settings) (identity, error) {
	var id identity
	id.Settings = sha256.Sum256(fmt.Appendf(nil, "%#v %d", s, t.Seed)) // %#v tells nil from empty
	t.Seed, t.Workers, t.Progress = 0, 0, nil
	h := sha256.New()
	fingerprint(ctx, c, h, reflect.ValueOf(t))
	h.Sum(id.Data[:0])
	return id, ctx.Err()
}

// fingerprint hashes a value: by reflection, so that no field of [learn.Train]
// is forgotten, not even one that is new.
func fingerprint(ctx context.Context, c *crew, h hash.Hash, v reflect.Value) {
	switch x := v.Interface().(type) {
	case []float64:
		fingerprintAll(ctx, c, h, x, math.Float64bits)
		return
	case []int:
		fingerprintAll(ctx, c, h, x, func(n int) uint64 { return uint64(n) })
		return
	}
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fmt.Fprintf(h, "%s:", v.Type().Field(i).Name)
			fingerprint(ctx, c, h, v.Field(i))
		}
	case v.Kind() == reflect.Pointer && !v.IsNil():
		fmt.Fprint(h, "&")
		fingerprint(ctx, c, h, v.Elem())
	default:
		fmt.Fprintf(h, "%#v;", v.Interface())
	}
}

// fingerprintAll hashes a long list, block by block.
func fingerprintAll[T any](ctx context.Context, c *crew, h hash.Hash, list []T, bits func(T) uint64) {
	sums := make([][sha256.Size]byte, (len(list)+blockRows-1)/blockRows)
	c.blocks(len(list), func(begin, end int) {
		if ctx.Err() != nil {
			return
		}
		sum := sha256.New()
		var piece [4096]byte
		for part := range slices.Chunk(list[begin:end], len(piece)/8) {
			for i, x := range part {
				binary.LittleEndian.PutUint64(piece[8*i:], bits(x))
			}
			sum.Write(piece[:8*len(part)])
		}
		sum.Sum(sums[begin/blockRows][:0])
	})
	fmt.Fprintf(h, "%d:", len(list))
	for i := range sums {
		h.Write(sums[i][:])
	}
}
