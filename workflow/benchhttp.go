package workflow

import "github.com/tandem-ml/tandem/engineering/load"

// WriteLoad writes the page of a measured load; it appears whole or not at all.
func WriteLoad(path string, r *load.Result) error { return writeFile(path, r.HTML) }
