//go:build race

package workflow

// raceDetector is true in tests with -race, which makes training thirty times
// slower: tests that train many times over then train less often.
const raceDetector = true
