package data

import (
	"encoding/base64"
	"fmt"
	"math"
	"math/bits"
)

// Cardinality estimates how many distinct values a stream held, from 2048
// bytes, and can be merged. The standard error is 2.3% of the count; far fewer
// than 2048 values are counted almost exactly. The zero value is empty.
//
// Method: HyperLogLog with linear counting for small ranges (Flajolet, Fusy,
// Gandouet and Meunier, 2007; hashes of 64 bits need no correction at the upper
// end). Hashes are fixed, not seeded: equal streams give equal bytes.
type Cardinality struct {
	registers []uint8 // nil until the first value
}

const (
	cardinalityBits = 11
	cardinalitySize = 1 << cardinalityBits
)

// add records the hash of a value.
func (c *Cardinality) add(hash uint64) {
	if c.registers == nil {
		c.registers = make([]uint8, cardinalitySize)
	}
	r := hash >> (64 - cardinalityBits)
	// The guard bit keeps the count of zeros within the bits that are left.
	zeros := uint8(bits.LeadingZeros64(hash<<cardinalityBits|1<<(cardinalityBits-1))) + 1
	if zeros > c.registers[r] {
		c.registers[r] = zeros
	}
}

// Estimate returns the estimated number of distinct values.
func (c *Cardinality) Estimate() int64 {
	if c == nil || c.registers == nil {
		return 0
	}
	var sum float64
	empty := 0
	for _, r := range c.registers {
		sum += math.Ldexp(1, -int(r))
		if r == 0 {
			empty++
		}
	}
	const m = float64(cardinalitySize)
	estimate := 0.7213 / (1 + 1.079/m) * m * m / sum
	if estimate <= 2.5*m && empty > 0 {
		estimate = m * math.Log(m/float64(empty))
	}
	return int64(math.Round(estimate))
}

// Merge adds all that o has seen; o is not changed.
func (c *Cardinality) Merge(o *Cardinality) {
	if o == nil || o.registers == nil {
		return
	}
	if c.registers == nil {
		c.registers = make([]uint8, cardinalitySize)
	}
	for i, r := range o.registers {
		c.registers[i] = max(c.registers[i], r)
	}
}

// Clone returns an independent copy.
func (c *Cardinality) Clone() *Cardinality {
	return &Cardinality{registers: append([]uint8(nil), c.registers...)}
}

// MarshalText writes the registers as base64; an empty one as "".
func (c *Cardinality) MarshalText() ([]byte, error) {
	return base64.StdEncoding.AppendEncode(nil, c.registers), nil
}

// UnmarshalText reads what MarshalText wrote; another length or an impossible
// register is an error.
func (c *Cardinality) UnmarshalText(b []byte) error {
	registers, err := base64.StdEncoding.AppendDecode(nil, b)
	if err != nil {
		return fmt.Errorf("cardinality: %w", err)
	}
	if len(registers) == 0 {
		c.registers = nil
		return nil
	}
	if len(registers) != cardinalitySize {
		return fmt.Errorf("cardinality: %d registers, want %d", len(registers), cardinalitySize)
	}
	for i, r := range registers {
		if r > 64-cardinalityBits+1 {
			return fmt.Errorf("cardinality: register %d holds %d", i, r)
		}
	}
	c.registers = registers
	return nil
}

// hashNumber returns a well-mixed hash; 0 and -0 are the same value.
func hashNumber(x float64) uint64 {
	if x == 0 {
		x = 0
	}
	return mix(math.Float64bits(x))
}

// hashText is FNV-1a with a final mix, since its high bits alone are weak.
func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}
