package clean

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/data"
)

// truth reads a boolean in words.
func truth(s string) (string, bool) {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "true", "t", "yes", "y", "1", "on":
		return "true", true
	case "false", "f", "no", "n", "0", "off":
		return "false", true
	}
	return "", false
}

// parseNumber reads a finite number as people write it: marks between groups of
// three digits, a decimal mark, a currency or a percent sign (12% is 12),
// brackets for a minus. Signs in the middle and letters are no number.
func parseNumber(s, decimal string) (float64, bool) {
	s = strings.TrimSpace(s)
	if x, rest, ok := leadingNumber(s, decimal); ok && rest == "" {
		return x, true
	}
	negative := false
	if strings.HasPrefix(s, "(") && strings.HasSuffix(s, ")") {
		negative, s = true, strings.TrimSpace(s[1:len(s)-1])
	}
	sign := ""
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		sign, s = s[:1], strings.TrimSpace(s[1:])
	}
	if r, n := utf8.DecodeRuneInString(s); unicode.Is(unicode.Sc, r) {
		s = strings.TrimSpace(s[n:])
	} else if r, n := utf8.DecodeLastRuneInString(s); unicode.Is(unicode.Sc, r) || r == '%' {
		s = strings.TrimSpace(s[:len(s)-n])
	}
	if sign != "" && (strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+")) || negative && sign != "" {
		return 0, false
	}
	x, rest, ok := leadingNumber(sign+s, decimal)
	if !ok || rest != "" {
		return 0, false
	}
	if negative {
		if x < 0 {
			return 0, false
		}
		x = -x
	}
	return x, true
}

// leadingNumber reads the number that a text begins with and returns what
// follows it, without blanks between.
func leadingNumber(s, decimal string) (x float64, rest string, ok bool) {
	point := byte('.')
	if decimal == "," {
		point = ','
	}
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	out := append([]byte(nil), s[:i]...)
	digits, mark := 0, ""
	for i < len(s) {
		if isDigit(s[i]) {
			out = append(out, s[i])
			digits++
			i++
			continue
		}
		// A mark stands between a digit and exactly three, and is always the same.
		m := groupMark(s[i:], point)
		if m == "" || digits == 0 || mark == "" && digits > 3 || mark != "" && m != mark || !threeDigits(s[i+len(m):]) {
			break
		}
		mark = m
		out = append(out, s[i+len(m):i+len(m)+3]...)
		digits += 3
		i += len(m) + 3
		if i < len(s) && isDigit(s[i]) {
			return 0, "", false
		}
	}
	if i < len(s) && s[i] == point {
		j := i + 1
		for j < len(s) && isDigit(s[j]) {
			j++
		}
		if j > i+1 || digits > 0 {
			out = append(out, '.')
			out = append(out, s[i+1:j]...)
			digits += j - i - 1
			i = j
		}
	}
	if digits == 0 {
		return 0, "", false
	}
	if i < len(s) && (s[i] == 'e' || s[i] == 'E') {
		j := i + 1
		if j < len(s) && (s[j] == '-' || s[j] == '+') {
			j++
		}
		k := j
		for k < len(s) && isDigit(s[k]) {
			k++
		}
		if k > j {
			out = append(out, s[i:k]...)
			i = k
		}
	}
	x, err := strconv.ParseFloat(string(out), 64)
	return x, strings.TrimSpace(s[i:]), err == nil && finite(x)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// groupMark returns the mark between thousands that s begins with, "" if none.
func groupMark(s string, point byte) string {
	for _, m := range []string{",", ".", "'", " ", "\u00a0", "\u202f", "’"} {
		if strings.HasPrefix(s, m) && m != string(point) {
			return m
		}
	}
	return ""
}

func threeDigits(s string) bool {
	return len(s) >= 3 && isDigit(s[0]) && isDigit(s[1]) && isDigit(s[2])
}

// parseTime reads a time of digits in the given order, with the time of the day
// or without, or in one of the forms that every time may have; UTC without a
// zone.
func parseTime(s, form string) (int64, bool) {
	s = strings.TrimSpace(s)
	if us, ok := data.ParseTime(s); ok {
		return us, true
	}
	date, clock, _ := strings.Cut(s, " ")
	var part [3]int
	fields := strings.FieldsFunc(date, func(r rune) bool { return r == '/' || r == '.' || r == '-' })
	if len(fields) != 3 {
		return 0, false
	}
	for i, f := range fields {
		n, err := strconv.ParseUint(f, 10, 16)
		if err != nil || len(f) > 4 {
			return 0, false
		}
		part[i] = int(n)
	}
	at := strings.IndexByte(form, 'y')
	y, m, d := part[at], part[strings.IndexByte(form, 'm')], part[strings.IndexByte(form, 'd')]
	switch len(fields[at]) {
	case 4:
	case 2: // the POSIX rule: 69-99 are of the 20th century
		if y += 2000; y >= 2069 {
			y -= 100
		}
	default:
		return 0, false
	}
	day := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if m < 1 || m > 12 || day.Day() != d || day.Month() != time.Month(m) {
		return 0, false
	}
	us := day.UnixMicro()
	if clock = strings.TrimSpace(clock); clock == "" {
		return us, true
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, clock); err == nil {
			return us + (int64(t.Hour())*3600+int64(t.Minute())*60+int64(t.Second()))*1e6 + int64(t.Nanosecond())/1000, true
		}
	}
	return 0, false
}

// unit is a unit of one dimension: in the dimension's base unit a value is
// (x + offset) * scale.
type unit struct {
	dimension     string
	scale, offset float64
	names         []string // the first is how it is shown
}

// units are the ones that columns of words come with. Of one name in two
// dimensions (oz) the one that the target unit has is meant.
var units = []unit{
	{"mass", 1, 0, []string{"g", "gram", "grams", "gr"}},
	{"mass", 0.001, 0, []string{"mg", "milligram", "milligrams"}},
	{"mass", 1000, 0, []string{"kg", "kgs", "kilo", "kilos", "kilogram", "kilograms"}},
	{"mass", 1e6, 0, []string{"t", "tonne", "tonnes"}},
	{"mass", 28.349523125, 0, []string{"oz", "ounce", "ounces"}},
	{"mass", 453.59237, 0, []string{"lb", "lbs", "pound", "pounds"}},
	{"mass", 6350.29318, 0, []string{"st", "stone", "stones"}},
	{"length", 1, 0, []string{"m", "meter", "meters", "metre", "metres"}},
	{"length", 0.001, 0, []string{"mm", "millimeter", "millimeters", "millimetre", "millimetres"}},
	{"length", 0.01, 0, []string{"cm", "centimeter", "centimeters", "centimetre", "centimetres"}},
	{"length", 1000, 0, []string{"km", "kilometer", "kilometers", "kilometre", "kilometres"}},
	{"length", 0.0254, 0, []string{"in", "inch", "inches", "\""}},
	{"length", 0.3048, 0, []string{"ft", "foot", "feet", "'"}},
	{"length", 0.9144, 0, []string{"yd", "yard", "yards"}},
	{"length", 1609.344, 0, []string{"mi", "mile", "miles"}},
	{"volume", 1, 0, []string{"l", "liter", "liters", "litre", "litres"}},
	{"volume", 0.001, 0, []string{"ml", "milliliter", "milliliters", "millilitre", "millilitres"}},
	{"volume", 0.01, 0, []string{"cl", "centiliter", "centiliters", "centilitre", "centilitres"}},
	{"volume", 0.0295735295625, 0, []string{"fl oz", "floz", "oz", "ounce", "ounces"}},
	{"volume", 0.473176473, 0, []string{"pt", "pint", "pints"}},
	{"volume", 0.946352946, 0, []string{"qt", "quart", "quarts"}},
	{"volume", 3.785411784, 0, []string{"gal", "gallon", "gallons"}},
	{"time", 1, 0, []string{"s", "sec", "secs", "second", "seconds"}},
	{"time", 0.001, 0, []string{"ms", "millisecond", "milliseconds"}},
	{"time", 60, 0, []string{"min", "mins", "minute", "minutes"}},
	{"time", 3600, 0, []string{"h", "hr", "hrs", "hour", "hours"}},
	{"time", 86400, 0, []string{"d", "day", "days"}},
	{"time", 604800, 0, []string{"wk", "week", "weeks"}},
	{"temperature", 1, 0, []string{"K", "kelvin"}},
	{"temperature", 1, 273.15, []string{"°C", "c", "celsius", "degc"}},
	{"temperature", 5.0 / 9, 459.67, []string{"°F", "f", "fahrenheit", "degf"}},
	{"data", 1, 0, []string{"B", "byte", "bytes"}},
	{"data", 1e3, 0, []string{"kB"}},
	{"data", 1e6, 0, []string{"MB"}},
	{"data", 1e9, 0, []string{"GB"}},
	{"speed", 1, 0, []string{"km/h", "kmh", "kph"}},
	{"speed", 3.6, 0, []string{"m/s"}},
	{"speed", 1.609344, 0, []string{"mph"}},
}

// unitNamed returns the first unit of that name.
func unitNamed(name string) *unit {
	for i := range units {
		if units[i].named(name) {
			return &units[i]
		}
	}
	return nil
}

func (u *unit) named(name string) bool {
	return slices.ContainsFunc(u.names, func(n string) bool { return strings.EqualFold(n, name) })
}

func unitList() string {
	var names []string
	for _, u := range units {
		names = append(names, u.names[0])
	}
	return strings.Join(names, ", ")
}

// quantity reads a number with its unit and turns it into the unit to. Without
// a unit it is in that unit already.
func quantity(s, decimal string, to *unit) (float64, bool) {
	x, name, ok := leadingNumber(strings.TrimSpace(s), decimal)
	if !ok {
		return 0, false
	}
	name = strings.TrimSuffix(name, ".")
	if name == "" || to.named(name) {
		return x, true
	}
	for i := range units {
		from := &units[i]
		if from.dimension != to.dimension || !from.named(name) {
			continue
		}
		base := float64((x + from.offset) * from.scale)
		y := float64(base/to.scale) - to.offset
		return y, !math.IsInf(y, 0)
	}
	return 0, false
}
