package gbdt

import (
	"syscall"
	"unsafe"
)

// hugePage is the size of a large page; madviseHuge asks for them.
const (
	hugePage    = 2 << 20
	madviseHuge = 14 // MADV_HUGEPAGE, see madvise(2)
)

// large returns n zeroes for an array that is read in the order of a node's
// rows: all over the place. It asks the system for large pages before the
// first touch, for 16 MB of cells are more small pages than the processor can
// keep in mind. If the system declines, everything works as before.
func large[T any](n int) []T {
	s := make([]T, n)
	if size := uintptr(n) * unsafe.Sizeof(*new(T)); size >= 2*hugePage {
		begin := uintptr(unsafe.Pointer(unsafe.SliceData(s)))
		skip := -begin % hugePage
		bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), size)
		_ = syscall.Madvise(bytes[skip:skip+(size-skip)&^(hugePage-1)], madviseHuge) // an error means small pages
	}
	return s
}
