//go:build race

package bundle_test

// raceDetector is true in tests with -race, in which sync.Pool drops values at
// random, so that allocations cannot be counted.
const raceDetector = true
