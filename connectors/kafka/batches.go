package kafka

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
)

// This file walks record batches as they lie in the log and in a broker's answer
// (message format 2), without an object a record. It trusts no byte of them.

// The layout of a batch's head.
const (
	batchLengthAt     = 8
	batchMagicAt      = 16
	batchCRCAt        = 17
	batchAttributesAt = 21
	batchLastDeltaAt  = 23
	batchProducerAt   = 43
	batchCountAt      = 57
	batchRecordsAt    = 61
	// batchLengthFrom is where the bytes begin that the length counts.
	batchLengthFrom = 12

	batchCodecMask     = 7
	batchTransactional = 1 << 4
	batchControl       = 1 << 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// aborted is a transaction that was aborted: records of the producer from first
// up to its next control batch are not to be read.
type aborted struct {
	producer int64
	first    int64
}

// walker appends the records of a partition to a chunk.
type walker struct {
	// decompress returns the bytes that a codec packed, in memory that the chunk
	// keeps for as long as it is used.
	decompress func(src []byte, codec int8) ([]byte, error)
	// committed leaves out what was aborted.
	committed bool
	ending    []aborted
	skipping  []int64 // producers whose records are of an aborted transaction
}

// walk appends the records from an offset on to the chunk and sets Next behind
// the last whole batch. An incomplete batch at the end is not an error: answers
// are cut anywhere.
func (w *walker) walk(data []byte, from int64, ending []aborted, c *Chunk) error {
	slices.SortFunc(ending, func(a, b aborted) int { return cmp.Compare(a.first, b.first) })
	w.ending, w.skipping = ending, w.skipping[:0]
	c.Next = from
	for len(data) >= batchLengthFrom {
		length := int64(int32(binary.BigEndian.Uint32(data[batchLengthAt:])))
		if length < batchRecordsAt-batchLengthFrom {
			return fmt.Errorf("record batch behind offset %d has a length of %d", c.Next, length)
		}
		if length > int64(len(data)-batchLengthFrom) {
			return nil
		}
		size := batchLengthFrom + int(length)
		if err := w.batch(data[:size], from, c); err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}

// batch appends the records of one batch.
func (w *walker) batch(b []byte, from int64, c *Chunk) error {
	base := int64(binary.BigEndian.Uint64(b))
	if magic := b[batchMagicAt]; magic != 2 {
		return fmt.Errorf("record batch at offset %d has message format %d, only 2 is read", base, magic)
	}
	if want, got := binary.BigEndian.Uint32(b[batchCRCAt:]), crc32.Checksum(b[batchAttributesAt:], castagnoli); want != got {
		return fmt.Errorf("record batch at offset %d is corrupt: checksum %08x, computed %08x", base, want, got)
	}
	lastDelta := int64(int32(binary.BigEndian.Uint32(b[batchLastDeltaAt:])))
	if base < 0 || lastDelta < 0 || base+lastDelta < base {
		return fmt.Errorf("record batch at offset %d has a last delta of %d", base, lastDelta)
	}
	last := base + lastDelta
	if last < from {
		return nil // the batch before the one with the offset
	}
	attributes := binary.BigEndian.Uint16(b[batchAttributesAt:])
	producer := int64(binary.BigEndian.Uint64(b[batchProducerAt:]))
	skip := w.skips(producer, last, attributes)
	if !skip {
		if err := w.records(b, base, last, attributes, from, c); err != nil {
			return fmt.Errorf("record batch at offset %d: %w", base, err)
		}
	}
	c.Next = last + 1
	return nil
}

// skips follows the transactions and tells whether a batch has no records to
// read: it ends a transaction, or is of an aborted one.
func (w *walker) skips(producer, last int64, attributes uint16) bool {
	if !w.committed {
		return attributes&batchControl != 0
	}
	for len(w.ending) > 0 && w.ending[0].first <= last {
		w.skipping = append(w.skipping, w.ending[0].producer)
		w.ending = w.ending[1:]
	}
	of := slices.Index(w.skipping, producer)
	if attributes&batchControl != 0 {
		if of >= 0 {
			w.skipping = slices.Delete(w.skipping, of, of+1)
		}
		return true
	}
	return of >= 0 && attributes&batchTransactional != 0
}

func (w *walker) records(b []byte, base, last int64, attributes uint16, from int64, c *Chunk) error {
	count := int(int32(binary.BigEndian.Uint32(b[batchCountAt:])))
	records := b[batchRecordsAt:]
	if codec := int8(attributes & batchCodecMask); codec != 0 {
		var err error
		if records, err = w.decompress(records, codec); err != nil {
			return fmt.Errorf("decompress: %w", err)
		}
		c.memory = append(c.memory, records)
	}
	if count < 0 || count > len(records)/recordBytesMin {
		return fmt.Errorf("%d records in %d bytes", count, len(records))
	}
	for range count {
		length, n := binary.Varint(records)
		if n <= 0 || length < 0 || length > int64(len(records)-n) {
			return errRecord
		}
		delta, value, ok := record(records[n : n+int(length)])
		if !ok || delta < 0 || base+delta > last {
			return errRecord
		}
		records = records[n+int(length):]
		if base+delta >= from {
			c.Values, c.Offsets = append(c.Values, value), append(c.Offsets, base+delta)
		}
	}
	return nil
}

// recordBytesMin is the smallest record: length, attributes, two deltas, key,
// value, headers.
const recordBytesMin = 7

var errRecord = errors.New("a record's lengths do not fit")

// record returns a record's offset delta and its value, nil if it has none. What
// comes behind the value is not looked at.
func record(r []byte) (delta int64, value []byte, ok bool) {
	if len(r) < 1 {
		return 0, nil, false
	}
	r = r[1:] // attributes, unused
	_, n := binary.Varint(r)
	if n <= 0 {
		return 0, nil, false
	}
	r = r[n:]
	if delta, n = binary.Varint(r); n <= 0 {
		return 0, nil, false
	}
	r = r[n:]
	keyLength, n := binary.Varint(r)
	if n <= 0 {
		return 0, nil, false
	}
	r = r[n:]
	if keyLength > 0 {
		if keyLength > int64(len(r)) {
			return 0, nil, false
		}
		r = r[keyLength:]
	}
	length, n := binary.Varint(r)
	if n <= 0 || length > int64(len(r)-n) {
		return 0, nil, false
	}
	if length < 0 {
		return delta, nil, true
	}
	return delta, r[n : n+int(length) : n+int(length)], true
}
