// Package tandem is the root of Tandem: one program that carries machine
// learning from a raw file to a model in production that keeps itself right.
// The code is in the packages below; ARCHITECTURE.md shows how they lie.
package tandem

// Version is the version of the program and of what it writes into bundles.
const Version = "0.1.0"
