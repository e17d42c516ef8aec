package data

import (
	"strings"
	"unicode"
)

// NameWords splits a name of a column into its words, in lower case: home_phone,
// HomePhone and "Home Phone" are home and phone. What is no letter separates, and
// so does an upper case letter behind a lower case one.
func NameWords(name string) []string {
	var words []string
	start, runes := 0, []rune(name)
	end := func(i int) {
		if i > start {
			words = append(words, strings.ToLower(string(runes[start:i])))
		}
	}
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			end(i)
			start = i + 1
		case i > start && unicode.IsUpper(r) && unicode.IsLower(runes[i-1]):
			end(i)
			start = i
		}
	}
	end(len(runes))
	return words
}
