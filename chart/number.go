package chart

import (
	"math"
	"strconv"
	"strings"
)

// Short writes a value the way it stands on an axis or in a table: about four
// significant digits, thousands separated, k, M, B and T from 10,000 on.
// Infinities are "∞" and "-∞"; NaN, a value that does not exist, is "–".
func Short(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "-∞"
	case a >= 9.995e14 || a != 0 && a < 9.9995e-5:
		return tidyExponent(strconv.FormatFloat(v, 'e', 2, 64))
	case a >= 9.995e11:
		return significant(v/1e12, 3) + "T"
	case a >= 9.995e8:
		return significant(v/1e9, 3) + "B"
	case a >= 9.995e5:
		return significant(v/1e6, 3) + "M"
	case a >= 9999.5:
		return significant(v/1e3, 3) + "k"
	case a >= 999.5:
		return Count(int64(math.Round(v)))
	}
	return significant(v, 4)
}

// significant writes v with at most n significant digits, no exponent and no
// trailing zeros.
func significant(v float64, n int) string {
	r, _ := strconv.ParseFloat(strconv.FormatFloat(v, 'e', n-1, 64), 64)
	s := strconv.FormatFloat(r, 'f', -1, 64)
	if s == "-0" {
		return "0"
	}
	return s
}

func tidyExponent(s string) string {
	mantissa, exp, _ := strings.Cut(s, "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	exp = strings.TrimPrefix(exp, "+")
	if strings.HasPrefix(exp, "-0") {
		exp = "-" + exp[2:]
	}
	return mantissa + "e" + exp
}

// Count writes a whole number with its thousands separated: 1,234,567.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	var b strings.Builder
	for i, d := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return sign + b.String()
}

// Percent writes a share as a percentage with one decimal: "28.2%". What is
// small but not nothing is "<0.1%", what is almost all is ">99.9%"; only exact
// shares read "0%" and "100%". NaN is "–".
func Percent(p float64) string {
	v := p * 100
	switch {
	case math.IsNaN(p):
		return "–"
	case math.IsInf(p, 0):
		return Short(p)
	case v > 0 && v < 0.05:
		return "<0.1%"
	case v > 99.95 && v < 100:
		return ">99.9%"
	case v == 0 || v == 100:
		return significant(v, 3) + "%"
	}
	return strconv.FormatFloat(v, 'f', 1, 64) + "%"
}

// Fixed writes a metric with three decimals: 0.842. NaN is "–".
func Fixed(v float64) string {
	if !finite(v) {
		return Short(v)
	}
	s := strconv.FormatFloat(v, 'f', 3, 64)
	if s == "-0.000" {
		return "0.000"
	}
	return s
}
