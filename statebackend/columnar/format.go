package columnar

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"millrace/statebackend"
	"millrace/types"
)

// FormatVersion is the version of the files that this package writes; the
// package comment describes it. Every version has a sample in testdata. Version 2 has
// multimaps, ordered maps and broadcast maps beside the shapes of version 1.
const FormatVersion = 2

// formatOldest is the oldest version that this package reads.
const formatOldest = 1

const (
	magic        = "MRST"
	prologBytes  = 8  // magic, version (uint16), reserved
	sectionBytes = 32 // see sectionHeader
	trailerBytes = 48 // footer's offset and length, SHA-256 of all before
)

// sectionKind tells what a section holds. The numbers are durable.
type sectionKind uint8

const (
	sectionHeaderJSON sectionKind = 1
	sectionRows       sectionKind = 2 // an Arrow IPC stream of one record batch
	sectionFooterJSON sectionKind = 3 // the last section
)

// op is what the rows of a section do. The numbers are durable; within a table
// a file's drops come first, then its removals, then its rows.
type op uint8

const (
	opNone   op = 0
	opPut    op = 1
	opRemove op = 2
	opDrop   op = 3
)

// sectionHeader stands before each section, little-endian: kind, op, reserved
// (uint16), table (uint32), rows (uint32), first and last key group (uint16
// each), payload length (uint64), reserved (uint32), CRC-32C (uint32) of the 28
// bytes before it and of the payload.
type sectionHeader struct {
	kind   sectionKind
	op     op
	table  uint32
	rows   uint32
	groups types.KeyGroupRange
	length uint64
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (h *sectionHeader) encode(payload []byte) [sectionBytes]byte {
	var b [sectionBytes]byte
	le := binary.LittleEndian
	b[0], b[1] = byte(h.kind), byte(h.op)
	le.PutUint32(b[4:], h.table)
	le.PutUint32(b[8:], h.rows)
	le.PutUint16(b[12:], uint16(h.groups.First))
	le.PutUint16(b[14:], uint16(h.groups.Last))
	le.PutUint64(b[16:], uint64(len(payload)))
	le.PutUint32(b[28:], sectionSum(b[:28], payload))
	return b
}

func sectionSum(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header, castagnoli), castagnoli, payload)
}

// fileWriter writes the frame of a file.
type fileWriter struct {
	w      *bufio.Writer
	sum    hash.Hash
	offset int64
	footer fileFooter
	err    error
}

func newFileWriter(w io.Writer) *fileWriter {
	f := &fileWriter{w: bufio.NewWriterSize(w, 256<<10), sum: sha256.New()}
	var b [prologBytes]byte
	copy(b[:], magic)
	binary.LittleEndian.PutUint16(b[4:], FormatVersion)
	f.write(b[:])
	return f
}

func (f *fileWriter) write(p []byte) {
	if f.err != nil {
		return
	}
	_, _ = f.sum.Write(p) // a hash never returns an error
	f.offset += int64(len(p))
	_, f.err = f.w.Write(p)
}

func (f *fileWriter) section(h sectionHeader, payload []byte) {
	if len(payload) > sectionBytesMax && f.err == nil {
		f.err = fmt.Errorf("section of %d bytes, at most %d", len(payload), sectionBytesMax)
	}
	b := h.encode(payload)
	f.write(b[:])
	f.write(payload)
}

// describe writes the header or the footer.
func (f *fileWriter) describe(kind sectionKind, v any) {
	payload, err := json.Marshal(v)
	switch {
	case f.err != nil:
	case err != nil:
		f.err = err
	case len(payload) > descriptionBytesMax:
		f.err = fmt.Errorf("description of %d bytes, at most %d", len(payload), descriptionBytesMax)
	}
	f.section(sectionHeader{kind: kind}, payload)
}

// rows writes a section of rows and notes it for the footer.
func (f *fileWriter) rows(h sectionHeader, groups [][2]int, payload []byte) {
	h.kind = sectionRows
	f.footer.Rows += int64(h.rows)
	f.footer.Sections = append(f.footer.Sections, sectionInfo{
		Table: int(h.table), Op: h.op, Offset: f.offset,
		Bytes: int64(len(payload)), Rows: int(h.rows), Groups: groups,
	})
	f.section(h, payload)
}

// finish writes the footer and the trailer.
func (f *fileWriter) finish(h *fileHeader) (statebackend.FileInfo, error) {
	at := f.offset
	f.describe(sectionFooterJSON, &f.footer)
	var b [trailerBytes]byte
	binary.LittleEndian.PutUint64(b[:], uint64(at))
	binary.LittleEndian.PutUint64(b[8:], uint64(f.offset-at))
	f.write(b[:16])
	f.write(f.sum.Sum(b[16:16]))
	if f.err == nil {
		f.err = f.w.Flush()
	}
	if f.err != nil {
		return statebackend.FileInfo{}, fmt.Errorf("write state snapshot: %w", f.err)
	}
	info := statebackend.FileInfo{Kind: h.Kind, Bytes: f.offset, Rows: f.footer.Rows, Groups: h.groups()}
	f.sum.Sum(info.Sum[:0])
	return info, nil
}

// fileReader reads the frame of a file. Each section is checked before it is
// handed out, the whole file before next says that it is over.
type fileReader struct {
	r       *bufio.Reader
	sum     hash.Hash
	offset  int64
	payload bytes.Buffer
	version uint16
	header  *fileHeader
	footer  *fileFooter
}

// damage is the reason for which a file can't be what was written.
type damage struct{ reason string }

func (d *damage) Error() string { return d.reason }

func damaged(format string, args ...any) error { return &damage{fmt.Sprintf(format, args...)} }

// named says which file an error is about, and wraps ErrCorrupt where it is the file's.
func named(name string, err error) error {
	if _, ok := errors.AsType[*damage](err); ok {
		return fmt.Errorf("%w: %s: %w", statebackend.ErrCorrupt, name, err)
	}
	return fmt.Errorf("read state snapshot %s: %w", name, err)
}

func (f *fileReader) read(p []byte) error {
	n, err := io.ReadFull(f.r, p)
	_, _ = f.sum.Write(p[:n])
	f.offset += int64(n)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged("it ends at byte %d", f.offset)
	}
	return err
}

// openFile reads up to the header.
func openFile(r io.Reader) (*fileReader, error) {
	f := &fileReader{r: bufio.NewReaderSize(r, 256<<10), sum: sha256.New()}
	var b [prologBytes]byte
	if err := f.read(b[:]); err != nil {
		return nil, err
	}
	if string(b[:4]) != magic {
		return nil, damaged("it does not begin with %s", magic)
	}
	version := binary.LittleEndian.Uint16(b[4:])
	if version < formatOldest || version > FormatVersion || b[6] != 0 || b[7] != 0 {
		return nil, damaged("format version %d, this program reads %d to %d", version, formatOldest, FormatVersion)
	}
	h, payload, err := f.section()
	if err != nil {
		return nil, err
	}
	if h.kind != sectionHeaderJSON {
		return nil, damaged("the header is missing")
	}
	f.version = version
	if f.header, err = parseHeader(version, payload); err != nil {
		return nil, damaged("%v", err)
	}
	return f, nil
}

// next returns the next section of rows; ok is false behind the last one, when
// the file was read and checked to its end. The payload is valid until the next call.
func (f *fileReader) next() (h sectionHeader, payload []byte, ok bool, err error) {
	at := f.offset
	h, payload, err = f.section()
	if err != nil {
		return h, nil, false, err
	}
	switch h.kind {
	case sectionRows:
		if int(h.table) >= len(f.header.Tables) || h.op < opPut || h.op > opDrop || h.rows > sectionRowsMax || h.groups.First > h.groups.Last {
			return h, nil, false, damaged("section at byte %d: table %d, op %d, %d rows, key groups %s", at, h.table, h.op, h.rows, h.groups)
		}
		return h, payload, true, nil
	case sectionFooterJSON:
		return h, nil, false, f.finish(at, payload)
	default:
		return h, nil, false, damaged("section at byte %d: kind %d", at, h.kind)
	}
}

func (f *fileReader) section() (h sectionHeader, payload []byte, err error) {
	at := f.offset
	var b [sectionBytes]byte
	if err := f.read(b[:]); err != nil {
		return h, nil, err
	}
	le := binary.LittleEndian
	h = sectionHeader{
		kind: sectionKind(b[0]), op: op(b[1]), table: le.Uint32(b[4:]), rows: le.Uint32(b[8:]),
		groups: types.KeyGroupRange{First: types.KeyGroup(le.Uint16(b[12:])), Last: types.KeyGroup(le.Uint16(b[14:]))},
		length: le.Uint64(b[16:]),
	}
	limit := uint64(sectionBytesMax)
	if h.kind != sectionRows {
		limit = descriptionBytesMax
	}
	if h.length > limit {
		return h, nil, damaged("section at byte %d: %d bytes, at most %d", at, h.length, limit)
	}
	if err := f.fill(int64(h.length)); err != nil {
		return h, nil, err
	}
	if sum := le.Uint32(b[28:]); sum != sectionSum(b[:28], f.payload.Bytes()) {
		return h, nil, damaged("section at byte %d: wrong checksum", at)
	}
	return h, f.payload.Bytes(), nil
}

// fill reads n bytes into the payload. Its memory grows as bytes arrive, so a
// length that lies does not take memory that the file has no bytes for.
func (f *fileReader) fill(n int64) error {
	f.payload.Reset()
	m, err := io.CopyN(&f.payload, f.r, n)
	_, _ = f.sum.Write(f.payload.Bytes())
	f.offset += m
	if errors.Is(err, io.EOF) {
		return damaged("it ends at byte %d", f.offset)
	}
	return err
}

// finish checks the footer and the trailer.
func (f *fileReader) finish(at int64, payload []byte) error {
	f.footer = &fileFooter{}
	if err := json.Unmarshal(payload, f.footer); err != nil {
		return damaged("footer: %v", err)
	}
	length := f.offset - at
	var b [trailerBytes]byte
	if err := f.read(b[:16]); err != nil {
		return err
	}
	want := f.sum.Sum(nil)
	if err := f.read(b[16:]); err != nil {
		return err
	}
	if !bytes.Equal(want, b[16:]) {
		return damaged("wrong SHA-256")
	}
	if int64(binary.LittleEndian.Uint64(b[:])) != at || int64(binary.LittleEndian.Uint64(b[8:])) != length {
		return damaged("the trailer points elsewhere than to the footer")
	}
	switch _, err := f.r.ReadByte(); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return err
	default:
		return damaged("it goes on behind its end at byte %d", f.offset)
	}
}
