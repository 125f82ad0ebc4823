package stream

import (
	"encoding/binary"
	"math/bits"
)

// The hash of keys is fixed for ever: key groups, and so the place of every
// piece of keyed state in every checkpoint, follow from it. Its form is a
// folded 128-bit multiplication (as in wyhash, by Wang Yi); the constants are
// those of wyhash's default secret. testdata/hash.golden has vectors that every
// platform must meet.
const (
	hashK0   = 0xa0761d6478bd642f
	hashK1   = 0xe7037ed1a0b428db
	hashK2   = 0x8ebc6af09c88c6e3
	hashK3   = 0x589965cc75374cc3
	hashNull = 0x1d8e4e27c47d124f // the hash of NULL
)

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// HashUint64 returns the hash of a fixed-width value's canonical 64 bits.
func HashUint64(x uint64) uint64 {
	return fold(fold(x^hashK0, hashK1)^x, hashK2)
}

// HashBytes returns the hash of a byte string.
func HashBytes(p []byte) uint64 {
	n := uint64(len(p))
	h := fold(n^hashK1, hashK0)
	for len(p) > 16 {
		h = fold(binary.LittleEndian.Uint64(p)^hashK1, binary.LittleEndian.Uint64(p[8:])^h)
		p = p[16:]
	}
	a, b := tail(p)
	return fold(fold(a^hashK1, b^h)^n, hashK2)
}

// tail reads 0 to 16 bytes as two words.
func tail(p []byte) (a, b uint64) {
	switch n := len(p); {
	case n >= 8:
		return binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[n-4:]))
	case n > 0:
		return uint64(p[0])<<16 | uint64(p[n>>1])<<8 | uint64(p[n-1]), 0
	default:
		return 0, 0
	}
}

// HashNull returns the hash of NULL.
func HashNull() uint64 { return hashNull }

// HashCombine adds the hash of a further key column to that of those before.
func HashCombine(h, column uint64) uint64 {
	return fold(h^hashK3, column^hashK1) ^ bits.RotateLeft64(h, 23)
}
