package kafka

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// unpacked is memory for decompressed batches that is used again: fresh memory
// is dearer than the decompression itself. It is safe for concurrent use.
type unpacked struct {
	mu   sync.Mutex
	free [][]byte
}

// unpackedFreeMax is how many buffers are kept.
const unpackedFreeMax = 32

// GetDecompressBytes implements kgo.PoolDecompressBytes. A buffer that is too
// small grows and comes back larger.
func (u *unpacked) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	u.mu.Lock()
	defer u.mu.Unlock()
	last := len(u.free) - 1
	if last < 0 {
		return nil
	}
	b := u.free[last]
	u.free = u.free[:last]
	return b
}

// PutDecompressBytes implements kgo.PoolDecompressBytes.
func (u *unpacked) PutDecompressBytes(b []byte) { u.put([][]byte{b}) }

func (u *unpacked) put(buffers [][]byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, b := range buffers {
		if len(u.free) < unpackedFreeMax && cap(b) > 0 {
			u.free = append(u.free, b[:0])
		}
	}
}

func (u *unpacked) decompressor() func([]byte, int8) ([]byte, error) {
	d := kgo.DefaultDecompressor(u)
	return func(src []byte, codec int8) ([]byte, error) {
		return d.Decompress(src, kgo.CompressionCodecType(codec))
	}
}
