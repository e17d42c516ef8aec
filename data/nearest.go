package data

import (
	"strings"
)

// Nearest returns the name that was probably meant: the one with the fewest
// typing errors between it and the given name, upper and lower case counting as
// equal and the first of names winning ties. It returns "" if none is near,
// which is more than two errors, or more than a third of a long name.
//
// A typing error is a letter inserted, left out, replaced, or swapped with its
// neighbour (the optimal string alignment distance of Damerau and Levenshtein).
func Nearest(name string, names []string) string {
	best, least := "", max(2, len(name)/3)+1
	for _, candidate := range names {
		d := typingErrors([]rune(strings.ToLower(name)), []rune(strings.ToLower(candidate)))
		// A name of two letters is not two errors away from every other.
		if d < least && d < max(len([]rune(candidate)), len([]rune(name))) {
			best, least = candidate, d
		}
	}
	return best
}

func typingErrors(a, b []rune) int {
	var before, last, row []int // rows i-2, i-1 and i of the edit matrix
	for j := range len(b) + 1 {
		last = append(last, j)
	}
	for i := 1; i <= len(a); i++ {
		row = append([]int{}, i)
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d := min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row = append(row, d)
		}
		before, last = last, row
	}
	return last[len(b)]
}
