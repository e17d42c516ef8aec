// Package privacy answers: does this column hold personal data, and of which
// kind? It knows e-mail and network addresses, telephone numbers, payment cards,
// bank accounts and a dozen national identity numbers by form and check digit,
// and names of columns that announce such data.
//
// [Scan] looks at a sample of a column's values; [Mask] and [Redact] make values
// fit to be shown: no page, file or message may carry a personal value in full.
//
// A check digit is right by chance in one of ten or eleven numbers, so a column
// counts as such numbers only if nearly all of its values pass, or half do and
// its name says the same. The finding is a question, not a judgement: names,
// addresses and birth dates are found by the column's name alone, and what is
// neither named nor formed like personal data is not found.
package privacy
