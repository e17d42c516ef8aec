package ingest

import "time"

// parseNamed reads a date whose month is a word: 31-Dec-2020, 31 December 20,
// Dec 31, 2020, "Friday, 26 October 2012", with a time of day after it or not.
func parseNamed(b []byte) (us int64, ok bool) {
	b = trim(b)
	if len(b) < 7 || len(b) > 64 {
		return 0, false
	}
	word, n := letters(b)
	if n > 0 && weekdays[word] {
		if b = marks(b[n:]); len(b) == 0 {
			return 0, false
		}
		word, n = letters(b)
	}
	day, month := 0, 0
	if n > 0 { // Dec 31, 2020
		month = months[word]
		b = marks(b[n:])
		if day, n = digits(b); n == 0 || n > 2 {
			return 0, false
		}
		b = b[n:]
	} else { // 31-Dec-2020
		if day, n = digits(b); n == 0 || n > 2 {
			return 0, false
		}
		b = marks(b[n:])
		word, n = letters(b)
		month = months[word]
		b = b[n:]
	}
	if month == 0 || day == 0 {
		return 0, false
	}
	b = marks(b)
	year, n := digits(b)
	if n == 2 {
		year = century(year)
	} else if n != 4 {
		return 0, false
	}
	return date(year, month, day, b[n:])
}

// century reads a year of two digits: 69 to 99 are of the last century, as POSIX
// has it.
func century(year int) int {
	if year >= 69 {
		return 1900 + year
	}
	return 2000 + year
}

// date puts a day and the text of a time of day together.
func date(year, month, day int, clock []byte) (us int64, ok bool) {
	us, ok = parseClock(clock)
	if !ok || year < 1 || month < 1 || month > 12 || day < 1 {
		return 0, false
	}
	d := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if d.Day() != day {
		return 0, false // 31 June
	}
	return d.Unix()*1e6 + us, true
}

// name is a word of at most nine letters, September or Wednesday, padded with
// zeros.
type name [9]byte

var months, weekdays = names()

func names() (map[name]int, map[name]bool) {
	m, w := map[name]int{{'s', 'e', 'p', 't'}: 9}, map[name]bool{}
	for i := time.January; i <= time.December; i++ {
		word, _ := letters([]byte(i.String()))
		m[word], m[name{word[0], word[1], word[2]}] = int(i), int(i)
	}
	for i := time.Sunday; i <= time.Saturday; i++ {
		word, _ := letters([]byte(i.String()))
		w[word], w[name{word[0], word[1], word[2]}] = true, true
	}
	return m, w
}

// letters returns the word that b begins with, in small letters.
func letters(b []byte) (word name, n int) {
	for n < len(b) && n < len(word) && b[n]|' ' >= 'a' && b[n]|' ' <= 'z' {
		word[n] = b[n] | ' '
		n++
	}
	return word, n
}

// digits returns the number that b begins with, at most four digits of it.
func digits(b []byte) (x, n int) {
	for n < len(b) && n < 4 && b[n] >= '0' && b[n] <= '9' {
		x = x*10 + int(b[n]-'0')
		n++
	}
	return x, n
}

// marks passes over what stands between the parts of a date.
func marks(b []byte) []byte {
	for n := 0; n < 3 && len(b) > 0 && (b[0] == ' ' || b[0] == ',' || b[0] == '-' || b[0] == '/' || b[0] == '.'); n++ {
		b = b[1:]
	}
	return b
}
