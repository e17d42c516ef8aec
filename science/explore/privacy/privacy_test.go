package privacy_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tandem-ml/tandem/science/explore/privacy"
)

func many(format string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

// The numbers are those that the issuers publish as examples.
func TestScan(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind, name string
		values     []string
	}{
		{"email", "x", many("user%d@example.com", 30)},
		{"iban", "x", []string{"DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "FR1420041010050500013M02606", "NL91ABNA0417164300", "CH9300762011623852957"}},
		{"card", "x", []string{"4111111111111111", "5500 0000 0000 0004", "4012888888881881", "6011000000000004", "3400 000000 00009"}},
		{"phone", "x", []string{"+49 30 901820", "+44 20 7946 0958", "(212) 555-0187", "+1-202-555-0143", "0049 89 1234567"}},
		{"ip", "x", []string{"192.168.0.1", "10.0.0.7", "8.8.8.8", "127.0.0.1", "255.1.2.3"}},
		{"national_id", "x", []string{"078-05-1120", "219-09-9999", "457-55-5462", "123-45-6789", "321-54-9876"}},
		{"national_id", "nhs_number", []string{"943 476 5919", "4505577104", "9434765870", "1", "2"}},
		{"national_id", "x", []string{"12345678Z", "X1234567L", "00000000T", "Y7654321G", "87654321X"}},
		{"national_id", "x", []string{"RSSMRA85T10A562S", "BNCLGU80A01H501O", "VRDGPP13R10B293P", "MRTMTT91D08F205J", "x"}},
		{"national_id", "pesel", []string{"44051401359", "02070803628", "1", "92071314764", "83010411457"}},
		{"national_id", "cpf", []string{"529.982.247-25", "111.444.777-35", "1", "2", "123.456.789-09", "935.411.347-80"}},
		{"national_id", "x", []string{"11010519491231002X", "440524188001010014", "a", "b", "11010519491231002x", "c"}},
		{"name", "last_name", []string{"Miller", "Jones"}},
		{"birth", "DateOfBirth", []string{"1970-01-01", "1980-02-02"}},
		{"within", "note", append(many("nothing to see in %d", 50), "write to jane.doe@example.org please")},
		{"", "amount", many("%d.50", 100)},
		{"", "at", many("2026-01-31 10:%02d", 60)},
		{"", "code", many("%013d", 100)},                  // some pass the check digit by chance
		{"", "applied", many("2026-01-%02d", 28)},         // a date is no telephone number
		{"", "version", many("1.%d.3", 40)},               //
		{"", "card_type", []string{"visa", "mastercard"}}, // a word in the name is not enough
		{"", "total_day_minutes", many("%d", 200)},
		{"", "empty", nil},
	} {
		f := privacy.Scan(c.name, c.values)
		switch {
		case f == nil && c.kind != "":
			t.Errorf("%s %q: not found", c.name, c.values[:min(len(c.values), 3)])
		case f != nil && f.Kind != c.kind:
			t.Errorf("%s: found %+v, want %q", c.name, *f, c.kind)
		}
	}
}

func TestShownValuesAreMasked(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jane.doe@example.org": "j•••.•••@•••••••.•••",
		"abc":                  "•••",
		"":                     "",
	} {
		if got := privacy.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
	got := privacy.Redact("card 4111111111111111, mail jane@example.org, order 12345")
	if strings.Contains(got, "4111111") || strings.Contains(got, "jane") || !strings.Contains(got, "12345") {
		t.Errorf("Redact gives %q", got)
	}
	if got := privacy.Redact("4111 1111 1111 1111"); strings.Contains(got, "1111") {
		t.Errorf("Redact gives %q", got)
	}
}

func FuzzScan(f *testing.F) {
	f.Add("e-mail", "jane.doe@example.org")
	f.Add("x", "\xff+\u2022@")
	f.Fuzz(func(t *testing.T, name, value string) {
		privacy.Scan(name, []string{value, value + "1", value + "2", value + "3", value + "4"})
		if m := privacy.Mask(value); len([]rune(value)) > 3 && len([]rune(m)) > 25 {
			t.Errorf("%q is masked as %q", value, m)
		}
		privacy.Redact(value)
	})
}
