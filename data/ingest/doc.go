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
// CSV and TSV (also .gz; comma, tab, semicolon or bar between cells), JSON lines
// (.jsonl, .ndjson, also .gz), a JSON array of objects (.json, also .gz),
// Parquet, and Arrow IPC streams (.arrow, .arrows). What is inside decides where
// it can: gzip, Parquet and Arrow are known by their first bytes, whatever the
// name. In CSV the first line names the columns;
// empty lines are skipped; a quote inside an unquoted cell is plain text.
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
// In a Number or Time column a cell that is neither missing nor of that type
// makes its row a reject: were it read as missing, a typing error would become a
// fact. Times are written 2026-01-31 or 2026/01/31, with 08:30[:15[.5]] and a
// zone or not; 31/01/2026 and 01/31/2026 are understood when some row shows
// which of the two it is. yes, no, 0 and 1 stay what they are.
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
//
// It does not read over the network or from databases, undo backslash escapes
// or comments in CSV, or take decimal commas and thousands marks for numbers.
package ingest
