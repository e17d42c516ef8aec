package privacy

import "strings"

// digits returns the digits of s if all else in it is among the separators.
func digits(s, separators string) (string, bool) {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case !strings.ContainsRune(separators, r):
			return "", false
		}
	}
	return b.String(), true
}

func repeated(d string) bool { return d == "" || strings.Trim(d, d[:1]) == "" }

// luhn checks the digit of payment cards, ISO/IEC 7812-1 annex B.
func luhn(d string) bool {
	sum := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		if i%2 == 1 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// card reports whether s is the number of a payment card: 13 to 19 digits that
// begin as an issuer's do, with the right check digit.
func card(s string) bool {
	d, ok := digits(s, " -")
	return ok && len(d) >= 13 && len(d) <= 19 && d[0] >= '2' && d[0] <= '6' && !repeated(d) && luhn(d)
}

// ibanLengths holds the length of an account number by country, ISO 13616
// registry; a country not listed is not taken for one.
var ibanLengths = map[string]int{"AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24,
	"FI": 18, "FR": 27, "GB": 22, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21,
	"MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "TR": 26}

// iban checks an international bank account number, ISO 13616 with the check of
// ISO 7064 MOD 97-10.
func iban(s string) bool {
	s = strings.ToUpper(strings.ReplaceAll(s, " ", ""))
	if len(s) < 15 || len(s) != ibanLengths[s[:2]] {
		return false
	}
	rest := 0
	for _, c := range s[4:] + s[:4] {
		switch {
		case c >= '0' && c <= '9':
			rest = (rest*10 + int(c-'0')) % 97
		case c >= 'A' && c <= 'Z':
			rest = (rest*100 + int(c-'A') + 10) % 97
		default:
			return false
		}
	}
	return rest == 1
}

// weighted sums digits by weights.
func weighted(d string, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += w * int(d[i]-'0')
	}
	return sum
}

func month(d string) bool { return d >= "01" && d <= "12" }
func day(d string) bool   { return d >= "01" && d <= "31" }

// national lists identity numbers with their checks. strong says that a form is
// so particular that chance matches do not matter.
var national = []struct {
	name   string
	strong bool
	words  []string // names of columns that say the same
	check  func(s string) bool
}{
	{"US social security number", false, []string{"ssn", "social"}, func(s string) bool {
		// The areas 000, 666 and 900-999, group 00 and serial 0000 are not given out.
		d, ok := digits(s, "-")
		return ok && len(d) == 9 && (strings.Count(s, "-") == 2 && len(s) == 11 && s[3] == '-' && s[6] == '-') && d[:3] != "000" && d[:3] != "666" && d[0] != '9' && d[3:5] != "00" && d[5:] != "0000"
	}},
	{"UK national insurance number", true, []string{"nino", "insurance"}, func(s string) bool {
		s = strings.ReplaceAll(s, " ", "")
		if len(s) != 9 || s[8] < 'A' || s[8] > 'D' || strings.ContainsRune("DFIQUV", rune(s[0])) || strings.ContainsRune("DFIOQUV", rune(s[1])) {
			return false
		}
		d, ok := digits(s[2:8], "")
		return ok && len(d) == 6 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z'
	}},
	{"UK NHS number", false, []string{"nhs"}, func(s string) bool {
		d, ok := digits(s, " -")
		if !ok || len(d) != 10 || repeated(d) {
			return false
		}
		c := 11 - weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
		return c%11 == int(d[9]-'0') && c != 10
	}},
	{"French social security number", true, []string{"nir", "insee", "secu"}, func(s string) bool {
		d, ok := digits(s, " ")
		if !ok || len(d) != 15 || d[0] < '1' || d[0] > '2' || !month(d[3:5]) {
			return false
		}
		rest := 0
		for _, c := range d[:13] {
			rest = (rest*10 + int(c-'0')) % 97
		}
		return 97-rest == int(d[13]-'0')*10+int(d[14]-'0')
	}},
	{"German tax number", false, []string{"steuer", "steuerid", "idnr", "tax"}, func(s string) bool {
		d, ok := digits(s, " ")
		if !ok || len(d) != 11 || d[0] == '0' {
			return false
		}
		p := 10 // ISO 7064 MOD 11,10
		for i := range 10 {
			m := (int(d[i]-'0') + p) % 10
			if m == 0 {
				m = 10
			}
			p = 2 * m % 11
		}
		return (11-p)%10 == int(d[10]-'0')
	}},
	{"Spanish identity number", true, []string{"dni", "nie", "nif"}, func(s string) bool {
		s = strings.ToUpper(strings.ReplaceAll(s, "-", ""))
		if len(s) != 9 {
			return false
		}
		body := s[:8]
		switch body[0] { // foreigners' numbers
		case 'X', 'Y', 'Z':
			body = string('0'+body[0]-'X') + body[1:]
		}
		d, ok := digits(body, "")
		if !ok || len(d) != 8 {
			return false
		}
		n := 0
		for _, c := range d {
			n = n*10 + int(c-'0')
		}
		return "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] == s[8]
	}},
	{"Italian fiscal code", true, []string{"fiscale", "cf"}, fiscalCode},
	{"Dutch citizen number", false, []string{"bsn"}, func(s string) bool {
		d, ok := digits(s, " .")
		return ok && len(d) == 9 && !repeated(d) && weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0
	}},
	{"Polish PESEL", false, []string{"pesel"}, func(s string) bool {
		d, ok := digits(s, "")
		if !ok || len(d) != 11 || !day(d[4:6]) || (d[2]-'0')%2*10+d[3]-'0' > 12 || (d[2]-'0')%2*10+d[3]-'0' == 0 {
			return false
		}
		return (10-weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == int(d[10]-'0')
	}},
	{"Swedish personal number", false, []string{"personnummer", "pnr"}, func(s string) bool {
		d, ok := digits(s, "-+")
		if ok && len(d) == 12 {
			d = d[2:]
		}
		return ok && len(d) == 10 && month(d[2:4]) && day(d[4:6]) && luhn(d)
	}},
	{"Brazilian CPF", false, []string{"cpf"}, func(s string) bool {
		d, ok := digits(s, ".-")
		if !ok || len(d) != 11 || repeated(d) {
			return false
		}
		digit := func(sum int) int { return sum * 10 % 11 % 10 }
		return digit(weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[9]-'0') && digit(weighted(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[10]-'0')
	}},
	{"Indian Aadhaar number", false, []string{"aadhaar", "aadhar"}, func(s string) bool {
		d, ok := digits(s, " -")
		return ok && len(d) == 12 && d[0] > '1' && !repeated(d) && verhoeff(d)
	}},
	{"Chinese resident number", true, []string{"shenfenzheng", "idcard"}, func(s string) bool {
		if len(s) != 18 {
			return false
		}
		d, ok := digits(s[:17], "")
		if !ok || len(d) != 17 || d[6:8] < "18" || d[6:8] > "20" || !month(d[10:12]) || !day(d[12:14]) {
			return false
		}
		return "10X98765432"[weighted(d, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)%11] == strings.ToUpper(s)[17]
	}},
}

// fiscalCode checks the last letter of an Italian codice fiscale, decree of 23
// December 1976.
func fiscalCode(s string) bool {
	s = strings.ToUpper(s)
	if len(s) != 16 {
		return false
	}
	const form = "AAAAAA99A99A999A"
	odd := [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}
	sum := 0
	for i := range 16 {
		c, letter := s[i], s[i] >= 'A' && s[i] <= 'Z'
		if form[i] == 'A' && !letter || form[i] == '9' && (c < '0' || c > '9') {
			return false
		}
		v := int(c - '0')
		if letter {
			v = int(c - 'A')
		}
		switch {
		case i == 15:
			return sum%26 == v
		case i%2 == 0: // the first place is odd
			sum += odd[v]
		default:
			sum += v
		}
	}
	return false
}

// verhoeff checks the digit of Verhoeff, Error Detecting Decimal Codes, 1969: a
// product in the symmetry group of the pentagon, after a permutation by place.
func verhoeff(d string) bool {
	permute := [10]int{1, 5, 7, 6, 2, 8, 3, 0, 9, 4}
	times := func(a, b int) int { // reflections are 5 to 9
		switch {
		case a < 5 && b < 5:
			return (a + b) % 5
		case a < 5:
			return 5 + (a+b)%5
		case b < 5:
			return 5 + (a-b+5)%5
		}
		return (a - b + 5) % 5
	}
	c := 0
	for i := range len(d) {
		v := int(d[len(d)-1-i] - '0')
		for range i % 8 {
			v = permute[v]
		}
		c = times(c, v)
	}
	return c == 0
}
