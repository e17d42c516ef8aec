package decisions

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Head is the newest record's number and link: it stands for the whole log up
// to there.
type Head struct {
	Records uint64 `json:"records"` // records in the log, of every kind
	Link    Link   `json:"link"`    // hex in JSON
}

// String returns "17:1f0c...": the count and the link in hex.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Records, h.Link) }

// headFile is the side file: the head and where the log ends.
type headFile struct {
	Head
	seg uint32
	end int64
}

const (
	headName  = "head"
	headMagic = "TANDEMDH"
	headLen   = 64
)

func (h *headFile) encode() []byte {
	b := make([]byte, headLen)
	copy(b, headMagic)
	binary.LittleEndian.PutUint32(b[8:], h.seg)
	binary.LittleEndian.PutUint64(b[12:], uint64(h.end))
	binary.LittleEndian.PutUint64(b[20:], h.Records)
	copy(b[28:], h.Link[:])
	binary.LittleEndian.PutUint32(b[60:], checksum(b[:60]))
	return b
}

// readHead reads the side file. ok is false if there is none or if it is
// damaged; err is set if it is damaged.
func readHead(dir string) (h headFile, ok bool, err error) {
	path := filepath.Join(dir, headName)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return h, false, nil
	}
	if err != nil {
		return h, false, err
	}
	if len(b) != headLen || !bytes.HasPrefix(b, []byte(headMagic)) || binary.LittleEndian.Uint32(b[60:]) != checksum(b[:60]) {
		return h, false, &DamageError{File: path, Err: "the head file does not match its checksum"}
	}
	h.seg = binary.LittleEndian.Uint32(b[8:])
	h.end = int64(binary.LittleEndian.Uint64(b[12:]))
	h.Records = binary.LittleEndian.Uint64(b[20:])
	copy(h.Link[:], b[28:60])
	return h, true, nil
}
