//go:build !amd64

package kernel

// All returns every set that runs on this processor, the fastest last.
func All() []Set { return []Set{plain} }
