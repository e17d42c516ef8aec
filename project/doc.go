// Package project reads the declared intent of a project: the file tandem.yaml
// that says which table, which target, what a wrong decision costs and which
// conditions a model must meet.
//
// A project is a folder with a tandem.yaml. Only data.source and data.target
// must be given; everything else has a default:
//
//	name: credit
//	data:
//	  source: credit_data.csv
//	  target: Status
//	  positive: bad
//
// The vocabulary is one table (see [Keys]): the reader, the defaults and the
// page docs/project-file.md come from it, so they cannot disagree.
//
// [Load] and [Parse] check the whole file and report every problem at once,
// each with its line and column, and with the nearest known word where one was
// misspelt:
//
//	tandem.yaml:7:3: unknown key "protcted"; did you mean "protected"?
//
// A file is data: it may not use anchors, aliases, merge keys or tags, it is at
// most 1 MB long, and nothing in it is executed.
//
// [Init] goes the other way: from a table it writes a commented tandem.yaml
// with its guesses and the reason for each.
//
// What the package does not do: it does not read the data. Whether the columns
// that the file names exist is asked with [Project.CheckColumns] once the
// table is known.
package project
