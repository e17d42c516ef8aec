// Package explore draws the one page that a person reads before training: what
// a table holds, what is wrong with it, and what its columns say of the target.
//
// [Build] takes the table, its profile and its contract and returns a [Page]:
// an overview, the target's distribution, one entry per column, and [Alert]s
// ranked by what they can cost, each with its evidence and what to do.
// [Page.HTML] writes it as one self-contained file, [Page.JSON] as data.
//
// # What it looks for
//
//   - leakage: a column that alone ranks the target almost perfectly. Such a
//     column is nearly always known only after the outcome; and one that comes
//     near to it, which is worth a question
//   - missingness that predicts the target, as when only good customers were
//     asked for a document
//   - columns that cannot help (constant, all missing, identifiers) or that say
//     the same twice (near-copies)
//   - what distorts figures: duplicate rows, infinities, spellings of one value,
//     strong imbalance, few rows
//   - protected columns, so that it is seen that they are kept out
//
// # How a column's strength is measured
//
// For a two-valued target: the AUC of the column alone, whichever direction,
// in [0.5, 1]. Numbers and times rank the rows, with missing values at
// whichever end fits better. Categories are replaced by the target's rate of
// their value, learned on one half of the rows and measured on the other, so
// that an identifier does not look strong by being unique. For a numeric
// target: the absolute rank correlation, or the correlation ratio of a category
// measured the same way. Example: with Records = yes in 17% of rows and bad in
// 55% of those against 22% of the others, Records alone has an AUC of 0.61.
//
// # Size
//
// The page stays under 600 KB whatever the table: above 40 columns each gets
// less detail, above 100 a row of one table, and a note says so. Relations use
// at most 100,000 evenly spaced rows. The JSON form always has every column.
//
// The package changes nothing and decides nothing: what to leave out is said in
// the project file. Which columns are used is the contract's part.
package explore
