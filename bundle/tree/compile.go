package tree

import (
	"math"
	"math/bits"
	"slices"
)

// What a block of rows looks like to the kernels.
const (
	lanes       = 64        // rows of a group: the bytes of an AVX-512 register
	words       = lanes / 8 // of a group's column
	blockGroups = 4         // groups of a block
	blockRows   = lanes * blockGroups
	blockWords  = words * blockGroups
)

const (
	chunk       = 255 // thresholds that one byte column tells apart
	missingRank = 1<<16 - 1
	maxRanks    = missingRank - 1 // thresholds of a feature
	maxLeaves   = 256             // of a tree whose leaves a byte can number
	maxColumns  = 1 << 13         // byte columns of a block: 2 MB
	knownCodes  = 254             // codes from 0 that a byte tells apart
	unseenCode  = 254             // any other code
	missingCode = 255

	// A segment ends when it has this many splits, which bounds how long one
	// call of a kernel keeps the garbage collector waiting (about 40 us), or
	// this many categorical ones, whose columns are to stay in the first cache.
	segmentSplits = 8192
	segmentSets   = 32
)

// split is an inner node of a compiled tree: a row in whose byte column c the
// value is at least at, and which has come to leaf number first so far, goes
// to leaf number first+skip.
type split struct {
	column uint32 // offset of the column in bytes
	at     byte   // 1 to 255
	first  byte   // number of the leftmost leaf below
	skip   byte   // leaves below the left child; 0 for a split that does nothing
	_      byte
}

// head is the beginning of a compiled tree: how many of the splits and values
// that follow are its own. There are 32, 64 or 256 values; those beyond the
// tree's leaves are 0.
type head struct {
	splits int32
	values int32
}

// ranking turns the values of a feature into their ranks among its thresholds.
// The thresholds are the lowest level of a search tree in which each group of
// 16 numbers has one number above it, its greatest; missing places are +Inf.
type ranking struct {
	feature int
	numbers []float64
	start   [4]int // of the levels in numbers, from the top
	levels  int
	columns []column
}

// column is a byte column made from ranks: of the thresholds from..from+254,
// how many lie below the value. A missing value is 0, which goes left at each
// split of the column, or 255, which goes right.
type column struct {
	at          int // number of the column
	from        uint16
	missingLeft bool
}

// coding makes a byte column from a feature's category codes.
type coding struct {
	feature int
	at      int
}

// setSplit makes the byte column of one categorical split: 0 where the row goes
// left, else 255.
type setSplit struct {
	to, codes uint32   // offsets in bytes of the column made and of the one read
	left      [32]byte // bit c: byte code c goes left
}

// wideSplit is a set split on codes that a byte cannot tell apart.
type wideSplit struct {
	to   uint32
	node int32
}

// segment is a run of trees: those that one call of a kernel adds, or one tree
// with too many leaves for a kernel.
type segment struct {
	heads  []head
	splits []split
	values []float64
	sets   []setSplit
	wide   []wideSplit
	root   int32 // of the tree with too many leaves; -1 otherwise

	setNodes []int32 // per set split, while compiling
}

// program is a forest in the form that kernels read.
type program struct {
	rankings []ranking
	codings  []coding
	segments []segment
	values   []float64 // of all segments
	columns  int       // of a block, those of the segments' set splits included
	row      *rowProgram
}

// compiler collects what the forest's splits need.
type compiler struct {
	f          *Forest
	p          *program
	thresholds [][]float64       // per feature, sorted, distinct
	ranked     map[[3]int]uint32 // feature, chunk, direction -> column
	coded      map[int]uint32    // feature -> column of codes
	shared     int               // columns that outlive a segment
	first      []int             // per node: number of the leftmost leaf below
	leaves     []int             // per node: leaves below
	valuesAt   []uint32          // per tree: where its leaf values begin; 0 if it is walked
	setOf      map[int32]*setSplit
}

// compile returns nil if the forest needs more columns than are worth while.
func compile(f *Forest) *program {
	c := &compiler{
		f: f, p: &program{}, thresholds: make([][]float64, f.Features),
		ranked: map[[3]int]uint32{}, coded: map[int]uint32{},
		first: make([]int, len(f.Feature)), leaves: make([]int, len(f.Feature)),
		valuesAt: make([]uint32, len(f.Root)-1), setOf: map[int32]*setSplit{},
	}
	c.number()
	c.shareColumns()
	if c.shared > maxColumns {
		return nil
	}
	c.cut()
	c.p.row = c.compileRow()
	return c.p
}

// number numbers the leaves of each tree from left to right.
func (c *compiler) number() {
	f := c.f
	for n := len(f.Feature) - 1; n >= 0; n-- {
		c.leaves[n] = 1
		if f.Left[n] >= 0 {
			c.leaves[n] = c.leaves[f.Left[n]] + c.leaves[f.Right[n]]
		}
	}
	for n := range f.Feature {
		if l := f.Left[n]; l >= 0 {
			c.first[l] = c.first[n]
			c.first[f.Right[n]] = c.first[n] + c.leaves[l]
		}
	}
}

// eachSplit calls do for the inner nodes of the trees that kernels score.
func (c *compiler) eachSplit(do func(n int32)) {
	f := c.f
	for t := range len(f.Root) - 1 {
		if c.leaves[f.Root[t]] > maxLeaves {
			continue
		}
		for n := f.Root[t]; n < f.Root[t+1]; n++ {
			if f.Left[n] >= 0 {
				do(n)
			}
		}
	}
}

// shareColumns makes the columns of ranks and codes.
func (c *compiler) shareColumns() {
	f := c.f
	c.eachSplit(func(n int32) {
		if j := f.Feature[n]; f.Set[n] < 0 {
			c.thresholds[j] = append(c.thresholds[j], f.Threshold[n])
		}
	})
	for j, t := range c.thresholds {
		slices.Sort(t)
		c.thresholds[j] = slices.Compact(t)
		if len(c.thresholds[j]) > maxRanks {
			c.shared = maxColumns + 1
			return
		}
	}
	// Columns are numbered by feature, so that a block's are made in order.
	used := map[[3]int]bool{}
	usedCode := make([]bool, f.Features)
	c.eachSplit(func(n int32) {
		if f.Set[n] >= 0 {
			usedCode[f.Feature[n]] = usedCode[f.Feature[n]] || narrow(f.Sets[f.Set[n]])
		} else {
			key, _ := c.place(n)
			used[key] = true
		}
	})
	for j, t := range c.thresholds {
		r := newRanking(j, t)
		for k := range (len(t) + chunk - 1) / chunk {
			for dir := range 2 {
				if key := [3]int{j, k, dir}; used[key] {
					c.ranked[key] = uint32(c.shared * blockRows)
					r.columns = append(r.columns, column{at: c.shared, from: uint16(k * chunk), missingLeft: dir == 1})
					c.shared++
				}
			}
		}
		if len(r.columns) > 0 {
			c.p.rankings = append(c.p.rankings, r)
		}
		if usedCode[j] {
			c.coded[j] = uint32(c.shared * blockRows)
			c.p.codings = append(c.p.codings, coding{feature: j, at: c.shared})
			c.shared++
		}
	}
}

// place returns the column of a number split and its threshold there.
func (c *compiler) place(n int32) (key [3]int, at byte) {
	j := int(c.f.Feature[n])
	i, _ := slices.BinarySearch(c.thresholds[j], c.f.Threshold[n])
	key = [3]int{j, i / chunk, 0}
	if c.f.MissingLeft[n] {
		key[2] = 1
	}
	return key, byte(i%chunk + 1)
}

// cut writes the trees into segments.
func (c *compiler) cut() {
	f := c.f
	s := segment{root: -1}
	sets, mostSets, valuesFrom := 0, 0, 0
	end := func() {
		if len(s.heads) > 0 {
			for i := range s.sets {
				c.setOf[s.setNodes[i]] = &s.sets[i]
			}
			s.setNodes = nil
			s.values = c.p.values[valuesFrom:]
			c.p.segments = append(c.p.segments, s)
		}
		s, sets, valuesFrom = segment{root: -1}, 0, len(c.p.values)
	}
	for t := range len(f.Root) - 1 {
		root := f.Root[t]
		if c.leaves[root] > maxLeaves {
			end()
			c.p.segments = append(c.p.segments, segment{root: root})
			continue
		}
		own := 0
		for n := root; n < f.Root[t+1]; n++ {
			if f.Left[n] >= 0 && f.Set[n] >= 0 {
				own++
			}
		}
		if len(s.splits) > segmentSplits || sets > 0 && sets+own > segmentSets {
			end()
		}
		c.addTree(&s, t, sets)
		sets += own
		mostSets = max(mostSets, sets)
	}
	end()
	valuesFrom = 0
	for i := range c.p.segments { // the array has moved while it grew
		n := len(c.p.segments[i].values)
		c.p.segments[i].values = c.p.values[valuesFrom:][:n:n]
		valuesFrom += n
	}
	c.p.columns = c.shared + mostSets
}

// addTree writes a tree behind those of the segment, which have so many set
// splits already.
func (c *compiler) addTree(s *segment, t, sets int) {
	f := c.f
	root := f.Root[t]
	h := head{splits: int32(c.leaves[root] - 1), values: 32}
	for h.values < int32(c.leaves[root]) {
		h.values = map[int32]int32{32: 64, 64: 256}[h.values]
	}
	base := len(c.p.values)
	c.valuesAt[t] = uint32(base)
	s.heads = append(s.heads, h)
	c.p.values = append(c.p.values, make([]float64, h.values)...)
	for n := root; n < f.Root[t+1]; n++ {
		if f.Left[n] < 0 {
			c.p.values[base+c.first[n]] = f.Value[n]
			continue
		}
		sp := split{at: 1, first: byte(c.first[n]), skip: byte(c.leaves[f.Left[n]])}
		if f.Set[n] < 0 {
			var key [3]int
			key, sp.at = c.place(n)
			sp.column = c.ranked[key]
		} else {
			sp.column = uint32((c.shared + sets) * blockRows)
			sets++
			c.addSet(s, n, sp.column)
		}
		s.splits = append(s.splits, sp)
	}
}

func (c *compiler) addSet(s *segment, n int32, to uint32) {
	set := c.f.Sets[c.f.Set[n]]
	if !narrow(set) {
		s.wide = append(s.wide, wideSplit{to: to, node: n})
		return
	}
	op := setSplit{to: to, codes: c.coded[int(c.f.Feature[n])]}
	for w, word := range set[:min(len(set), 4)] {
		for b := range 8 {
			op.left[8*w+b] = byte(word >> (8 * b))
		}
	}
	if c.f.MissingLeft[n] {
		op.left[missingCode/8] |= 1 << (missingCode % 8)
	}
	s.sets, s.setNodes = append(s.sets, op), append(s.setNodes, n)
}

// narrow reports whether all codes of the set are below knownCodes.
func narrow(set []uint64) bool {
	for w := len(set) - 1; w >= 0; w-- {
		if set[w] != 0 {
			return 64*w+bits.Len64(set[w]) <= knownCodes
		}
	}
	return true
}

// newRanking builds the search tree over sorted, distinct thresholds.
func newRanking(feature int, thresholds []float64) ranking {
	r := ranking{feature: feature}
	level := slices.Clone(thresholds)
	// One +Inf at the end at least: no value lies beyond the last group.
	level = append(level, math.Inf(1))
	var levels [][]float64
	for {
		for len(level)%16 != 0 {
			level = append(level, math.Inf(1))
		}
		levels = append(levels, level)
		if len(level) == 16 {
			break
		}
		var above []float64
		for g := 15; g < len(level); g += 16 {
			above = append(above, level[g])
		}
		level = above
	}
	slices.Reverse(levels)
	for i, l := range levels {
		r.start[i] = len(r.numbers)
		r.numbers = append(r.numbers, l...)
	}
	r.levels = len(levels)
	return r
}
