package settings

import (
	"bytes"
	"fmt"
	"strings"
)

// Help returns the lines of the flags.
func Help() string {
	var b strings.Builder
	for _, s := range All {
		if s.Secret {
			continue
		}
		fmt.Fprintf(&b, "  --%s %s\n      %s (default %s)\n", s.Name, s.Value, s.Doc, s.Default)
	}
	return b.String()
}

// Table returns the settings as docs/scorer.md shows them.
func Table() []byte {
	var b bytes.Buffer
	b.WriteString("| flag | variable | key in a file | default | meaning |\n|---|---|---|---|---|\n")
	for _, s := range All {
		flag := fmt.Sprintf("`--%s %s`", s.Name, s.Value)
		if s.Secret {
			flag = "none: other users see flags"
		}
		fmt.Fprintf(&b, "| %s | `%s` | `%s` | %s | %s |\n", flag, s.Env(), s.Key(), s.Default, s.Doc)
	}
	return b.Bytes()
}
