package bundle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// entry is one named part of a bundle file.
type entry struct {
	name string
	data []byte
}

// Limits of a file, checked before memory is taken.
const (
	MaxFileSize = 512 << 20 // bytes of a bundle
	maxEntries  = 32
	maxName     = 64
)

// The file is a ZIP archive in which nothing is left open: entries are stored,
// one behind the other from byte 0, with the headers below and nothing else. A
// reader of ZIP understands it; this reader understands no other ZIP, so that
// two programs can never see different things in one file. (APPNOTE.TXT 6.3.10
// of PKWARE, sections 4.3.7, 4.3.12 and 4.3.16.)
const (
	localMagic   = 0x04034b50
	centralMagic = 0x02014b50
	endMagic     = 0x06054b50
	zipVersion   = 10     // 1.0: the oldest, as nothing newer is used
	zipDate      = 0x0021 // 1 January 1980, the zero of ZIP's calendar
	localSize    = 30     // bytes of a local header without the name
)

// archive writes the entries as a file.
func archive(entries []entry) ([]byte, error) {
	size := 0
	for _, e := range entries {
		size += len(e.data) + 2*len(e.name) + 128
	}
	if size > MaxFileSize {
		return nil, fmt.Errorf("the bundle needs %d bytes, and %d is the limit", size, MaxFileSize)
	}
	out := make([]byte, 0, size)
	offsets := make([]int, len(entries))
	for i, e := range entries {
		offsets[i] = len(out)
		out = binary.LittleEndian.AppendUint32(out, localMagic)
		out = appendShared(out, e, crc32.ChecksumIEEE(e.data))
		out = append(out, e.name...)
		out = append(out, e.data...)
	}
	return appendDirectory(out, entries, offsets), nil
}

// appendShared writes the fields that local and central headers share.
func appendShared(out []byte, e entry, crc uint32) []byte {
	le := binary.LittleEndian
	out = le.AppendUint16(out, zipVersion)
	out = le.AppendUint16(out, 0) // flags
	out = le.AppendUint16(out, 0) // method: stored
	out = le.AppendUint16(out, 0) // time
	out = le.AppendUint16(out, zipDate)
	out = le.AppendUint32(out, crc)
	out = le.AppendUint32(out, uint32(len(e.data))) // compressed
	out = le.AppendUint32(out, uint32(len(e.data))) // uncompressed
	out = le.AppendUint16(out, uint16(len(e.name)))
	return le.AppendUint16(out, 0) // extra field
}

// appendDirectory writes what follows the last entry.
func appendDirectory(out []byte, entries []entry, offsets []int) []byte {
	le := binary.LittleEndian
	start := len(out)
	for i, e := range entries {
		out = le.AppendUint32(out, centralMagic)
		out = le.AppendUint16(out, zipVersion) // made by: MS-DOS, 1.0
		out = appendShared(out, e, crc32.ChecksumIEEE(e.data))
		out = le.AppendUint16(out, 0) // comment
		out = le.AppendUint16(out, 0) // disk
		out = le.AppendUint16(out, 0) // internal attributes
		out = le.AppendUint32(out, 0) // external attributes
		out = le.AppendUint32(out, uint32(offsets[i]))
		out = append(out, e.name...)
	}
	size := len(out) - start
	out = le.AppendUint32(out, endMagic)
	out = le.AppendUint16(out, 0) // disk
	out = le.AppendUint16(out, 0) // disk of the directory
	out = le.AppendUint16(out, uint16(len(entries)))
	out = le.AppendUint16(out, uint16(len(entries)))
	out = le.AppendUint32(out, uint32(size))
	out = le.AppendUint32(out, uint32(start))
	return le.AppendUint16(out, 0) // comment
}

// unarchive splits a file into its entries, which alias src. Whatever differs
// from what archive would have written for the same entries is an error.
func unarchive(src []byte) ([]entry, error) {
	if len(src) > MaxFileSize {
		return nil, fmt.Errorf("the file has %d bytes, and %d is the limit", len(src), MaxFileSize)
	}
	if len(src) < 4 || binary.LittleEndian.Uint32(src) != localMagic {
		return nil, fmt.Errorf("the file is not a bundle (it does not begin as a ZIP archive)")
	}
	var entries []entry
	var offsets []int
	seen := make(map[string]bool)
	pos := 0
	for len(src)-pos >= 4 && binary.LittleEndian.Uint32(src[pos:]) == localMagic {
		e, err := readEntry(src[pos:])
		if err != nil {
			return nil, fmt.Errorf("entry at byte %d: %w", pos, err)
		}
		if seen[e.name] {
			return nil, fmt.Errorf("entry %q occurs twice", e.name)
		}
		if len(entries) == maxEntries {
			return nil, fmt.Errorf("more than %d entries", maxEntries)
		}
		seen[e.name] = true
		entries = append(entries, e)
		offsets = append(offsets, pos)
		pos += localSize + len(e.name) + len(e.data)
	}
	if want := appendDirectory(src[:pos:pos], entries, offsets)[pos:]; !bytes.Equal(src[pos:], want) {
		return nil, fmt.Errorf("the archive's directory at byte %d does not agree with its entries", pos)
	}
	return entries, nil
}

// readEntry reads the entry at the beginning of src.
func readEntry(src []byte) (entry, error) {
	le := binary.LittleEndian
	if len(src) < localSize {
		return entry{}, fmt.Errorf("is cut off")
	}
	flags, method, crc := le.Uint16(src[6:]), le.Uint16(src[8:]), le.Uint32(src[14:])
	size, nameLen := int(le.Uint32(src[18:])), int(le.Uint16(src[26:]))
	switch {
	case flags&1 != 0:
		return entry{}, fmt.Errorf("is encrypted")
	case method != 0:
		return entry{}, fmt.Errorf("is compressed; entries of a bundle are stored")
	case nameLen == 0 || nameLen > maxName || len(src)-localSize < nameLen:
		return entry{}, fmt.Errorf("has a name of %d bytes", nameLen)
	}
	e := entry{name: string(src[localSize : localSize+nameLen])}
	for _, c := range []byte(e.name) {
		if (c < 'a' || c > 'z') && c != '.' {
			return entry{}, fmt.Errorf("has the name %q; only a-z and . may occur", e.name)
		}
	}
	rest := src[localSize+nameLen:]
	if size > len(rest) {
		return entry{}, fmt.Errorf("%q says it has %d bytes where %d are left", e.name, size, len(rest))
	}
	e.data = rest[:size:size]
	if got := crc32.ChecksumIEEE(e.data); got != crc {
		return entry{}, fmt.Errorf("%q is damaged: its checksum is %08x, not %08x", e.name, got, crc)
	}
	want := appendShared(le.AppendUint32(nil, localMagic), e, crc)
	if !bytes.Equal(src[:localSize], want) {
		return entry{}, fmt.Errorf("%q has a header with parts that a bundle does not use", e.name)
	}
	return e, nil
}
