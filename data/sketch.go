package data

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Sketch answers quantiles and ranks of a stream of numbers from about a
// thousand kept values, and can be merged with others. The zero value is an
// empty sketch. A sketch is not safe for concurrent use while values are added.
//
// While at most 1024 values were added it is exact. Beyond, a rank is off by
// about half a percent of the number of values; the tests hold it under one
// percent at a million values whatever their order. What is kept grows with the
// logarithm of the count: 1,024 values at a million, 1,121 at a billion.
//
// Method: the compactor hierarchy of Karnin, Lang and Liberty, "Optimal
// Quantile Approximation in Streams", FOCS 2016: a value on level h stands for
// 2^h values of the stream; a full level is sorted, every second value moves one
// level up and the others are dropped. Theirs (and Apache DataSketches, whose Go
// edition cannot be seeded) tosses a coin for which half to keep. Ours keeps the
// odd and the even half in turn, level by level, as Manku, Rajagopalan and
// Lindsay did (SIGMOD 1998): equal tables must give equal bundles, byte for
// byte, and the errors of two successive compactions tend to cancel.
type Sketch struct {
	n        int64
	min, max float64
	levels   [][]float64 // levels[h] holds values of weight 2^h; sorted only while it is compacted
	keepEven uint64      // bit h: which half the next compaction of level h keeps
	kept     int         // values in all levels
	room     int         // how many may be kept with the present number of levels
}

const (
	sketchExact = 1024 // values kept before the first compaction
	sketchTop   = 304  // capacity of the highest level; lower ones have two thirds of the one above
	sketchFloor = 16   // smallest capacity of a level

	sketchMaxLevels = 60 // 2^60 values: more than will be added
)

// sketchRoom holds the capacities by depth below the highest level.
var sketchRoom = func() (room [sketchMaxLevels]int) {
	c := float64(sketchTop)
	for d := range room {
		room[d] = max(sketchFloor, int(math.Ceil(c)))
		c = c * 2 / 3
	}
	return room
}()

// Add adds one value. NaN and infinities are ignored: [ColumnProfile] counts
// them apart. The time is constant on average.
func (s *Sketch) Add(x float64) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return
	}
	if x == 0 {
		x = 0 // there is one zero
	}
	s.widen(x, x)
	s.n++
	if len(s.levels) == 0 {
		s.grow()
	}
	s.levels[0] = append(s.levels[0], x)
	s.kept++
	if s.kept > s.room {
		s.compact()
	}
}

func (s *Sketch) widen(low, high float64) {
	if s.n == 0 {
		s.min, s.max = low, high
		return
	}
	s.min, s.max = min(s.min, low), max(s.max, high)
}

// grow adds a level on top.
func (s *Sketch) grow() {
	s.levels = append(s.levels, nil)
	total := 0
	for d := range s.levels {
		total += sketchRoom[d]
	}
	s.room = max(total, sketchExact)
}

// compact halves the lowest level that is over its capacity, again and again,
// until the values fit.
func (s *Sketch) compact() {
	for s.kept > s.room {
		h := 0
		for len(s.levels[h]) <= sketchRoom[len(s.levels)-1-h] {
			h++ // some level is over its capacity, since the sum is
		}
		if h+1 == len(s.levels) {
			s.grow()
		}
		full := s.levels[h]
		sortFinite(full)
		// An odd one out stays behind: its weight must not change.
		paired := len(full) &^ 1
		first := 1
		if s.keepEven&(1<<h) != 0 {
			first = 0
		}
		s.keepEven ^= 1 << h
		for i := first; i < paired; i += 2 {
			s.levels[h+1] = append(s.levels[h+1], full[i])
		}
		s.levels[h] = append(full[:0], full[paired:]...)
		s.kept -= paired / 2
	}
}

// sortFinite sorts numbers as whole ones of the same order, which takes half the
// time: there is no NaN to look for.
func sortFinite(x []float64) {
	var few [256]int64
	keys := few[:0]
	if len(x) > len(few) {
		keys = make([]int64, 0, len(x))
	}
	for _, v := range x {
		b := int64(math.Float64bits(v))
		keys = append(keys, b^int64(uint64(b>>63)>>1)) // the greater the size of a negative number, the less it is
	}
	slices.Sort(keys)
	for i, b := range keys {
		x[i] = math.Float64frombits(uint64(b ^ int64(uint64(b>>63)>>1)))
	}
}

// Merge adds all that o has seen; o is not changed. Merging in another order
// gives slightly different kept values within the same error.
func (s *Sketch) Merge(o *Sketch) {
	if o == nil || o.n == 0 {
		return
	}
	s.widen(o.min, o.max)
	s.n += o.n
	for h, level := range o.levels {
		if h == len(s.levels) {
			s.grow()
		}
		s.levels[h] = append(s.levels[h], level...)
	}
	s.kept += o.kept
	s.compact()
}

// N returns the number of values added.
func (s *Sketch) N() int64 {
	if s == nil {
		return 0
	}
	return s.n
}

// Quantile returns the value below which the share q of the values lies, with
// linear interpolation between neighbours (type 7 of Hyndman and Fan, the
// default of R and NumPy). Quantile(0) is the smallest value and Quantile(1)
// the largest, exactly. It returns NaN for an empty sketch or q outside [0, 1].
func (s *Sketch) Quantile(q float64) float64 {
	if s.N() == 0 || !(q >= 0 && q <= 1) {
		return math.NaN()
	}
	return s.steps().quantile(q)
}

// Quantiles returns [Sketch.Quantile] of what was added so far as a function that
// answers many times for the price of one.
func (s *Sketch) Quantiles() func(q float64) float64 {
	if s.N() == 0 {
		return s.Quantile
	}
	st := s.steps()
	return func(q float64) float64 {
		if !(q >= 0 && q <= 1) {
			return math.NaN()
		}
		return st.quantile(q)
	}
}

// CDF returns the share of the values that are at most x, in [0, 1]; NaN for an
// empty sketch or x = NaN.
func (s *Sketch) CDF(x float64) float64 {
	if s.N() == 0 || math.IsNaN(x) {
		return math.NaN()
	}
	return s.steps().atMost(x)
}

// Clone returns an independent copy.
func (s *Sketch) Clone() *Sketch {
	c := *s
	c.levels = make([][]float64, len(s.levels))
	for h, level := range s.levels {
		c.levels[h] = slices.Clone(level)
	}
	return &c
}

// steps is the empirical distribution function of a sketch: distinct values in
// increasing order, and how many values of the stream are at most each.
type steps struct {
	x        []float64
	upTo     []int64
	min, max float64
}

func (s *Sketch) steps() steps {
	type weighted struct {
		x float64
		w int64
	}
	all := make([]weighted, 0, s.kept)
	for h, level := range s.levels {
		for _, x := range level {
			all = append(all, weighted{x, 1 << h})
		}
	}
	slices.SortFunc(all, func(a, b weighted) int {
		switch {
		case a.x < b.x:
			return -1
		case a.x > b.x:
			return 1
		}
		return 0
	})
	st := steps{min: s.min, max: s.max}
	var sum int64
	for _, v := range all {
		sum += v.w
		if n := len(st.x); n > 0 && st.x[n-1] == v.x {
			st.upTo[n-1] = sum
			continue
		}
		st.x = append(st.x, v.x)
		st.upTo = append(st.upTo, sum)
	}
	return st
}

func (st steps) n() int64 { return st.upTo[len(st.upTo)-1] }

func (st steps) atMost(x float64) float64 {
	switch {
	case x < st.min:
		return 0
	case x >= st.max:
		return 1
	}
	i, found := slices.BinarySearch(st.x, x)
	if found {
		i++
	}
	if i == 0 {
		return 0
	}
	return float64(st.upTo[i-1]) / float64(st.n())
}

func (st steps) quantile(q float64) float64 {
	switch q {
	case 0:
		return st.min
	case 1:
		return st.max
	}
	rank := q * float64(st.n()-1)
	low := math.Floor(rank)
	a, b := st.at(int64(low)), st.at(int64(math.Ceil(rank)))
	if a == b {
		return a
	}
	// Not a + f*(b-a): the difference of two finite numbers may overflow.
	f := rank - low
	return float64((1-f)*a) + float64(f*b)
}

// at returns the value of rank r, counted from 0.
func (st steps) at(r int64) float64 {
	i, found := slices.BinarySearch(st.upTo, r)
	if found {
		i++ // upTo counts values: rank r is the first beyond a step of height r
	}
	return st.x[min(i, len(st.x)-1)]
}

// sketchJSON is the written form. Values are base64 of little-endian IEEE 754
// doubles, level by level from weight 1: exact, and at most 11 bytes each where
// decimal text takes up to 24.
type sketchJSON struct {
	N        int64   `json:"n"`
	Min      float64 `json:"min"`
	Max      float64 `json:"max"`
	Levels   []int   `json:"levels"` // number of values on each level
	KeepEven uint64  `json:"keep_even,omitempty"`
	Values   string  `json:"values"`
}

// MarshalJSON writes the sketch so that UnmarshalJSON gives it back exactly,
// including what it will do with the next values.
func (s *Sketch) MarshalJSON() ([]byte, error) {
	out := sketchJSON{N: s.n, Min: s.min, Max: s.max, KeepEven: s.keepEven, Levels: make([]int, len(s.levels))}
	raw := make([]byte, 0, 8*s.kept)
	for h, level := range s.levels {
		out.Levels[h] = len(level)
		for _, x := range level {
			raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(x))
		}
	}
	out.Values = base64.StdEncoding.EncodeToString(raw)
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote. A sketch that contradicts itself
// (weights that do not add up to n, a value that is not finite) is an error.
func (s *Sketch) UnmarshalJSON(b []byte) error {
	var in sketchJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	raw, err := base64.StdEncoding.DecodeString(in.Values)
	if err != nil {
		return fmt.Errorf("sketch: values: %w", err)
	}
	if len(in.Levels) > sketchMaxLevels || len(raw)%8 != 0 {
		return fmt.Errorf("sketch: %d levels in %d bytes", len(in.Levels), len(raw))
	}
	got := Sketch{n: in.N, min: in.Min, max: in.Max, keepEven: in.KeepEven}
	var weight int64
	for h, size := range in.Levels {
		if size < 0 || size > len(raw)/8 {
			return fmt.Errorf("sketch: level %d has %d values, %d are left", h, size, len(raw)/8)
		}
		level := make([]float64, size)
		for i := range level {
			x := math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
			if !(x >= in.Min && x <= in.Max) {
				return fmt.Errorf("sketch: value %v on level %d is outside [%v, %v]", x, h, in.Min, in.Max)
			}
			level[i] = x
		}
		raw = raw[8*size:]
		got.grow()
		got.levels[h] = level
		got.kept += size
		if weight += int64(size) << h; weight < 0 || int64(size) > math.MaxInt64>>h {
			return fmt.Errorf("sketch: level %d is too heavy", h)
		}
	}
	if len(raw) != 0 || weight != in.N || got.kept > max(got.room, sketchExact) {
		return fmt.Errorf("sketch: %d values of weight %d for n = %d", got.kept, weight, in.N)
	}
	*s = got
	return nil
}
