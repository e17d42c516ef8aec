// Package seed derives named streams of random numbers from one root seed, so
// that what one part draws never depends on when or whether another part draws.
//
// Every use names its stream: seed.Stream(root, "fold", 3) gives the same
// numbers on every machine, however many workers run. What a seed produces is
// an API: the golden values in the test may not change.
package seed

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream returns the generator of the k-th stream of that name under root. It
// is a PCG of the standard library whose state is the SHA-256 of (root, name,
// k), so streams of different names or numbers are independent. The generator
// must not be shared between goroutines.
func Stream(root uint64, name string, k int) *rand.Rand {
	b := make([]byte, 0, 16+len(name))
	b = binary.LittleEndian.AppendUint64(b, root)
	b = binary.LittleEndian.AppendUint64(b, uint64(k))
	b = append(b, name...)
	h := sha256.Sum256(b)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:16])))
}
