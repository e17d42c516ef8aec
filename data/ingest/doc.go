// Package ingest turns a source, named the way a user names it, into a table.
//
// The main function is [Read]. It takes a file or a pattern of files and gives
// back typed columns in the order of the file, a [data.Snapshot] that identifies
// what was read, and a list of every row that could not be read, with its place
// and the reason. Nothing is dropped without being listed.
//
//	r, err := ingest.Read(ctx, "data/credit_data.csv", ingest.Options{})
//
// # Formats
//
// CSV and TSV, JSON lines (.jsonl, .ndjson), a JSON array of objects (.json),
// Parquet, Arrow IPC streams (.arrow, .arrows), and Excel workbooks (.xlsx);
// text also compressed with gzip or zstd, or as the one file of a ZIP archive.
// What is inside decides where it can, whatever the name. A source may be an
// address (https, s3, postgres; package fetch), or a query over files.
//
// Of text, the encoding, the separator, the quotes, the lines before the header
// and whether there is one are told from its first 64 kB. Empty lines are
// skipped; a quote inside an unquoted cell is plain text; columns without a name
// or with one that is taken get one. Lines that name the columns again, and a
// last line of totals, are rejects. Every guess and repair is in
// [Result.Findings], with the setting of [data.Dialect] that settles it.
//
// # How types are decided
//
// From all rows, never from a sample. A cell is missing when it is blank and, in
// CSV, when it says NA, N/A, NULL, null, NaN, nan or ?. Of the others:
//
//	true and false only, in any case             Category "true", "false"
//	at least 95% are numbers                     Number
//	    but whole numbers beyond 2^53            Text
//	    but any digits with a leading zero, 007  as words
//	at least 95% are times of one form           Time, in UTC
//	words, at most 64 bytes long on average      Category, or Text if more than
//	                                             1000 distinct, and over half
//	longer                                       Text
//
// Numbers may have marks between thousands, a decimal comma, a currency, a percent
// sign (12% is 12), or brackets for a minus; the column tells which mark is the
// decimal one, or else other columns. In a number column -, . and the errors of a
// spreadsheet mean no value, and so does a number such as -999 that stands in a
// pile far from all others.
//
// In a Number or Time column a cell that is neither missing nor of that type
// makes its row a reject: were it read as missing, a typing error would become a
// fact. Times are written 2026-01-31 or 2026/01/31, with 08:30[:15[.5]] and a
// zone or not, or with the month in words, 31-Jan-2026; 31/01/2026 and
// 01/31/2026, also with two digits for the year, are understood when some row, or
// another column, shows which of the two it is. yes, no, 0 and 1 stay what they are.
//
// # Prediction
//
// With [Options.Contract] nothing is decided: the contract's columns are read as
// its kinds. With [Options.KeepBad] row i of the table is data row i of the
// file, whatever stands before it; what cannot be read is missing there, and the
// row is listed in [Result.Bad].
//
// [Blocks] reads the same rows in the same way, but hands them over in blocks, so
// that memory does not grow with the source, and reads what is no file: a pipe.
// [ArrowWriter] and [ParquetWriter] write what is made of such rows; they are
// here since this is the package that links Arrow and DuckDB.
//
// # Why two ways of reading
//
// Parquet is read through DuckDB; text files are read by this package. DuckDB's
// CSV reader guesses quotes and separators: of a file of nine rows with one
// quote left open it made twelve rows and reported nothing. Types from all rows
// cost it 7.3 CPU seconds on 1,000,000 x 28 cells, and this package 3.0 with the
// hash and the table. And prediction needs the position of every row: two
// readers would one day disagree on what a row is.
//
// Text is read twice, once to decide types and count rows, once to fill columns
// of exactly that size, so that memory is that of the table and a megabyte more.
// This is the only package that links DuckDB.
package ingest
