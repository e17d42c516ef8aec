// Package hypothesis answers questions about a table that a person wrote down
// before looking: do defaulters earn less, is an earlier default linked to the
// next one?
//
// A [Question] names columns; [Test] chooses the test that fits them, corrects
// for the number of questions asked, and answers each in one plain sentence with
// the size of the effect, its interval and the corrected p-value. Which test was
// chosen and why, what was looked at, which tests were not taken, what effect the
// rows can show, and what would change the answer, are part of it. [Parse] reads a
// question from a line of text. docs/hypotheses.md has the table of which test
// answers which question.
//
// # Words
//
// To compare is to ask whether a number differs between groups of rows. To
// associate is to ask whether two categories are linked, to correlate whether two
// numbers are. The family is the questions asked together. An answer is
// significant if its corrected p-value is below 0.05: if nothing at all were
// going on, the probability of any significant answer among all questions would
// be at most 0.05.
//
// # A small example
//
//	hypotheses:
//	  - {question: Do defaulters earn less?, compare: Income, between: Status}
//
// answers: Income tends to be lower where Status is bad than where it is good:
// median 100 against 130 (rank-biserial correlation -0.27, 95% interval -0.31 to
// -0.23, corrected p < 0.001).
//
// # What it does not do
//
// It finds no questions: testing what one has just seen in the same table proves
// nothing. A significant answer is an association, not a cause.
package hypothesis
