package gbdt

import "context"

// sorter sorts keys, with or without a weight to each, and keeps its memory
// for the next time. Equal keys keep their order.
//
// Method: radix sort from the last digit to the first (Knuth, The Art of
// Computer Programming 3, 5.2.5), with digits of 11 bits, counted in one pass.
// Digits in which all keys agree are skipped: of numbers that came from single
// precision these are two of six.
type sorter struct {
	ctx                   context.Context // when it is done, sort gives up and leaves no keys; nil: never
	keys, spareKeys       []uint64
	weights, spareWeights []float64 // empty: none
	count                 [digits][1 << digitBits]uint32
	distinct, mass        []float64 // see tally
}

const (
	digitBits = 11
	digits    = 6 // 6*11 bits are 64 and two to spare
)

func (s *sorter) sort() {
	n := len(s.keys)
	s.spareKeys = append(s.spareKeys[:0], s.keys...)
	s.spareWeights = append(s.spareWeights[:0], s.weights...)
	clear(s.count[:])
	for _, k := range s.keys {
		for d := range s.count {
			s.count[d][k>>(d*digitBits)&(1<<digitBits-1)]++
		}
	}
	for d := range s.count {
		if s.ctx != nil && s.ctx.Err() != nil {
			s.keys = s.keys[:0]
			return
		}
		count, shift := &s.count[d], d*digitBits
		if n == 0 || count[s.keys[0]>>shift&(1<<digitBits-1)] == uint32(n) {
			continue
		}
		at := uint32(0)
		for i, c := range count {
			count[i] = at
			at += c
		}
		for i, k := range s.keys {
			place := &count[k>>shift&(1<<digitBits-1)]
			s.spareKeys[*place] = k
			if len(s.weights) > 0 {
				s.spareWeights[*place] = s.weights[i]
			}
			*place++
		}
		s.keys, s.spareKeys = s.spareKeys, s.keys
		s.weights, s.spareWeights = s.spareWeights, s.weights
	}
}
