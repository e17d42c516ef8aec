package privacy

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tandem-ml/tandem/data"
)

// Finding says what personal data a column seems to hold.
type Finding struct {
	// Kind is one of email, phone, card, iban, national_id, ip, or, known by the
	// column's name alone, name, address, birth, secret.
	Kind string `json:"kind"`
	// What names it in words: "e-mail addresses".
	What string `json:"what"`
	// Share of the values looked at that have the form; 0 if only the name says so.
	Share float64 `json:"share"`
	// ByName is true if the column's name says it.
	ByName bool `json:"by_name"`
	// Within is true if such data stand inside longer texts.
	Within bool `json:"within,omitempty"`
}

// kinds are the forms in the order in which they are tried.
var kinds = []struct {
	kind, what string
	least      float64 // share of values that must have the form
	named      float64 // the same where the column's name says so
	words      []string
	check      func(string) bool
}{
	{"email", "e-mail addresses", 0.5, 0.1, []string{"email", "mail"}, email},
	{"iban", "bank account numbers", 0.5, 0.1, []string{"iban", "account"}, iban},
	{"ip", "network addresses", 0.8, 0.3, []string{"ip", "ipaddress", "ipaddr"}, network},
	{"phone", "telephone numbers", 0.8, 0.3, []string{"phone", "tel", "telephone", "mobile", "cell", "fax", "telefon", "handy", "msisdn"}, phone},
}

// namedOnly are data without a form of their own.
var namedOnly = []struct {
	kind, what string
	words      []string
}{
	{"name", "names of people", []string{"firstname", "lastname", "surname", "forename", "fullname", "givenname", "middlename", "maidenname", "vorname", "nachname", "customername", "patientname", "username"}},
	{"address", "addresses", []string{"address", "street", "streetaddress", "addressline", "strasse", "adresse"}},
	{"birth", "birth dates", []string{"dob", "birthdate", "dateofbirth", "birthday", "geburtsdatum", "birth"}},
	{"national_id", "identity numbers", []string{"ssn", "passport", "passportnumber", "nationalid", "socialsecurity", "driverlicense", "licenseplate"}},
	{"secret", "secrets", []string{"password", "passwd", "pin", "cvv", "secret"}},
}

// Scan looks for personal data in a column of that name, of which values is a
// sample without missing ones. It returns nil if there are none.
func Scan(name string, values []string) *Finding {
	words := nameWords(name)
	n := float64(max(len(values), 1))
	pass := func(check func(string) bool) float64 {
		k := 0.0
		for _, v := range values {
			if len(v) <= 64 && check(strings.TrimSpace(v)) {
				k++
			}
		}
		return k / n
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(values)))
	few := len(distinct) < 5 // two values that pass a check are no column of such numbers
	for _, k := range kinds {
		named := announces(words, k.words)
		if share := pass(k.check); !few && (share >= k.least || named && share >= k.named) {
			return &Finding{Kind: k.kind, What: k.what, Share: share, ByName: named}
		}
	}
	if share := pass(card); !few && (share >= 0.9 || announces(words, []string{"card", "cardnumber", "pan", "ccnumber", "creditcard"}) && share >= 0.3) {
		return &Finding{Kind: "card", What: "payment card numbers", Share: share, ByName: announces(words, []string{"card", "cardnumber", "pan", "creditcard"})}
	}
	for _, id := range national {
		named := announces(words, id.words)
		share := pass(id.check)
		if !few && (share >= 0.95 || id.strong && share >= 0.5 || named && share >= 0.5) {
			return &Finding{Kind: "national_id", What: id.name + "s", Share: share, ByName: named}
		}
	}
	for _, k := range namedOnly {
		if announces(words, k.words) && len(distinct) > 1 {
			return &Finding{Kind: k.kind, What: k.what, ByName: true}
		}
	}
	inside := 0
	for _, v := range values {
		if within(v) {
			inside++
		}
	}
	if share := float64(inside) / n; share >= 0.005 && inside > 0 {
		return &Finding{Kind: "within", What: "e-mail addresses, telephone, card or account numbers within texts", Share: share, Within: true}
	}
	return nil
}

// nameWords returns the words of a name, and two and three of them in one.
func nameWords(name string) []string {
	words := data.NameWords(name)
	n := len(words)
	for i := 0; i+1 < n; i++ {
		words = append(words, words[i]+words[i+1])
		if i+2 < n {
			words = append(words, words[i]+words[i+1]+words[i+2])
		}
	}
	return words
}

func announces(words, of []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(of, w) })
}

func email(s string) bool {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || len(s) > 254 || strings.ContainsAny(s, " \t,;<>()\"") || strings.Count(s, "@") != 1 {
		return false
	}
	host := s[at+1:]
	dot := strings.LastIndexByte(host, '.')
	if dot < 1 || len(host)-dot < 3 || strings.Contains(host, "..") {
		return false
	}
	for _, r := range host {
		if r != '.' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return false
		}
	}
	return true
}

// network knows IPv4 addresses in dotted form.
func network(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return false
	}
	for _, p := range parts {
		d, ok := digits(p, "")
		if !ok || d == "" || len(d) > 3 || len(d) > 1 && d[0] == '0' || len(d) == 3 && d > "255" {
			return false
		}
	}
	return true
}

// phone knows numbers of 7 to 15 digits (ITU-T E.164) that begin with + or a
// bracket, or are written in groups that are no date and no number of another
// kind. Digits alone are not taken for one: codes and amounts look the same.
func phone(s string) bool {
	d, ok := digits(strings.TrimPrefix(s, "+"), " -()./")
	if !ok || len(d) < 7 || len(d) > 15 || network(s) || strings.Count(s, "/") > 1 {
		return false
	}
	if s[0] == '+' || s[0] == '(' {
		return true
	}
	groups := strings.FieldsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if len(groups) < 2 || strings.HasPrefix(s, "00") {
		return len(groups) >= 2
	}
	if strings.Contains(s, ".") || len(d) < 10 || len(groups) > 5 || len(groups[0]) < 2 {
		return false
	}
	return !(len(groups) == 4 && len(groups[3]) == 4 && len(groups[0]) == 4) // 16 digits in fours are a card
}

// tokens cuts a text where a personal value may begin or end.
func tokens(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("<>\"'()[]{},;:|", r) })
}

func personal(token string) bool {
	t := strings.TrimRight(token, ".!?")
	return email(t) || len(t) >= 13 && (card(t) || iban(t)) || len(t) >= 9 && t[0] == '+' && phone(t)
}

func within(s string) bool {
	if len(s) < 6 {
		return false
	}
	if !strings.ContainsAny(s, "@+0123456789") {
		return false
	}
	return slices.ContainsFunc(tokens(s[:min(len(s), 4096)]), personal)
}

// Mask makes a personal value fit to be shown: its first character and its
// punctuation stay, every other letter and digit becomes a dot: j•••@•••••••.•••.
// At most 24 characters are returned.
func Mask(s string) string {
	var b strings.Builder
	n := 0
	for i, r := range s {
		if n == 24 {
			b.WriteString("…")
			break
		}
		n++
		if i == 0 && utf8.RuneCountInString(s) > 3 || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) {
			b.WriteRune(r)
		} else {
			b.WriteRune('•')
		}
	}
	return b.String()
}

// Redact masks the personal values inside a text that a reader would see: e-mail
// addresses, payment cards, bank accounts and international telephone numbers.
func Redact(s string) string {
	if !strings.ContainsAny(s, "@+0123456789") {
		return s
	}
	// Numbers written in groups are several tokens; whole values are tried first.
	if t := strings.TrimSpace(s); len(t) <= 64 && (card(t) || iban(t) || len(t) > 8 && t[0] == '+' && phone(t)) {
		return Mask(s)
	}
	for _, t := range tokens(s) {
		if personal(t) {
			s = strings.ReplaceAll(s, t, Mask(t))
		}
	}
	return s
}
