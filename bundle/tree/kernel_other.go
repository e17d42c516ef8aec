//go:build !amd64

package tree

func machineKernels() []Kernel { return nil }

func kernelNamed(Kernel) *kernel { return &portable }
