// Package explore draws the one page that a person reads before training: what
// a table holds, what is wrong with it, and what its columns say of the target.
//
// [Build] takes the table, its profile and its contract and returns a [Page]:
// an overview, the target and how it moves over time, one entry per column, what
// goes together, what is missing together, which rows repeat, and [Alert]s ranked
// by what they can cost, each with its evidence, what to do, and the setting of
// tandem.yaml that does it. [Page.HTML] writes it as one self-contained file,
// [Page.JSON] as data (docs/explore-json.md), [Page.Notebook] as a notebook to go
// on from, [Page.Text] as lines. [Compare] says how one table differs from another.
//
// # What it looks for
//
//   - leakage, by the traces that package leak knows, and columns that alone rank
//     the target almost perfectly
//   - missingness that predicts the target, as when only good customers were
//     asked for a document
//   - columns that cannot help (constant, all missing, identifiers) or that say
//     the same twice (near-copies)
//   - what distorts figures: duplicate and conflicting rows, infinities, spellings
//     of one value, strong imbalance, few rows, drift within the table
//   - personal data, by package privacy; values are masked in every form of the page
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
// at most 100,000 evenly spaced rows, leakage, interactions and texts 20,000,
// associations 4,000 rows and 60 columns. The JSON form always has every column.
// A million rows of 28 numbers take about four processor seconds beyond reading.
//
// The package changes nothing and decides nothing: what to leave out is said in
// the project file. Which columns are used is the contract's part.
package explore
