package badger

import (
	"encoding/binary"
	"hash/crc32"

	"millrace/failure"
)

// header is in front of a block: its number, its length, CRC-32C of both and of the block.
const headerBytes = 8 + 4 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func keyOf(id uint64) []byte { return binary.BigEndian.AppendUint64(nil, id) }

func seal(id uint64, block []byte) []byte {
	b := make([]byte, headerBytes, headerBytes+len(block))
	binary.LittleEndian.PutUint64(b, id)
	binary.LittleEndian.PutUint32(b[8:], uint32(len(block)))
	binary.LittleEndian.PutUint32(b[12:], crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, block))
	return append(b, block...)
}

// unseal returns the block inside, or what is wrong with it.
func unseal(id uint64, b []byte) ([]byte, error) {
	if len(b) < headerBytes {
		return nil, failure.Internalf("block %d of the state tier has %d bytes", id, len(b))
	}
	block := b[headerBytes:]
	sum := crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, block)
	if binary.LittleEndian.Uint64(b) != id || int(binary.LittleEndian.Uint32(b[8:])) != len(block) || binary.LittleEndian.Uint32(b[12:]) != sum {
		return nil, failure.Internalf("block %d of the state tier is not what was written: wrong checksum", id)
	}
	return block, nil
}
