package ingest

import (
	"context"
	"fmt"
	"os"

	"github.com/tandem-ml/tandem/data"
)

func openSheet(ctx context.Context, in *os.File, f file, d data.Dialect) (*input, error) {
	return nil, data.WithHint(fmt.Errorf("%s is a workbook", f.name), "export the sheet as CSV")
}
