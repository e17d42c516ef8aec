package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tandem-ml/tandem/data"
	"github.com/tandem-ml/tandem/data/durable"
	"github.com/tandem-ml/tandem/engineering/decisions"
)

// mark is how far a sink has come. The file of it is replaced as a whole.
type mark struct {
	Cluster string `json:"cluster"` // the cluster's own id: another one has got nothing yet
	Topic   string `json:"topic"`

	// The newest record that the brokers have confirmed. It is found again by
	// place, number and link, so that a log that is not the same is noticed.
	Position decisions.Position `json:"position"` // where the record itself begins
	Number   uint64             `json:"number"`   // 0: nothing was sent yet
	Link     decisions.Link     `json:"link"`

	Time time.Time `json:"time"` // when it was confirmed, for people
}

const markSuffix = ".sink.json"

// markPath is the file of a topic's sink; the names of topics are names of files.
func markPath(dir, topic string) string { return filepath.Join(dir, topic+markSuffix) }

func readMark(path string) (mark, error) {
	var m mark
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return m, data.WithHint(fmt.Errorf("read the position of a sink: %s: %w", path, err), "delete the file to have the whole log sent once more")
	}
	return m, nil
}

func (m mark) write(path string) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return durable.WriteBeside(path, path+".new", 0o600, durable.Bytes(append(b, '\n')))
}

// Unsent returns the position from which on some sink, of those whose files are in dir,
// still needs the log, whether it runs or not; ok is false if there is no sink.
// Nothing from there on may be deleted. A file that cannot be read is an error,
// and then nothing may be deleted at all.
func Unsent(dir string) (first decisions.Position, ok bool, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"+markSuffix))
	if err != nil {
		return first, false, err
	}
	for _, path := range files {
		m, err := readMark(path)
		if err != nil {
			return first, false, err
		}
		p := m.Position
		if !ok || p.Segment < first.Segment || p.Segment == first.Segment && p.Offset < first.Offset {
			first, ok = p, true
		}
	}
	return first, ok, nil
}
