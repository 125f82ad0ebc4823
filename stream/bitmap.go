package stream

import (
	"math/bits"
	"unsafe"
)

// Bitmap is a vector of bits, least significant first, in 64-bit words: Arrow's
// bitmap on a little-endian machine. Bits beyond a vector's length are undefined.
type Bitmap []uint64

// Words returns how many words n bits need.
func Words(n int) int { return (n + 63) >> 6 }

// Get returns bit i.
func (m Bitmap) Get(i int) bool { return m[uint(i)>>6]>>(uint(i)&63)&1 != 0 }

// Set sets bit i.
func (m Bitmap) Set(i int) { m[uint(i)>>6] |= 1 << (uint(i) & 63) }

// Clear clears bit i.
func (m Bitmap) Clear(i int) { m[uint(i)>>6] &^= 1 << (uint(i) & 63) }

// Put sets bit i to v.
func (m Bitmap) Put(i int, v bool) {
	if v {
		m.Set(i)
	} else {
		m.Clear(i)
	}
}

// Fill sets or clears every bit of the words.
func (m Bitmap) Fill(v bool) {
	var w uint64
	if v {
		w = ^uint64(0)
	}
	for i := range m {
		m[i] = w
	}
}

// Count returns the number of set bits among the first n.
func (m Bitmap) Count(n int) int {
	c := 0
	full := n >> 6
	for _, w := range m[:full] {
		c += bits.OnesCount64(w)
	}
	if rest := uint(n) & 63; rest != 0 {
		c += bits.OnesCount64(m[full] & (1<<rest - 1))
	}
	return c
}

// AppendSet appends the positions of the set bits among the first n to sel.
func (m Bitmap) AppendSet(sel []int32, n int) []int32 {
	for i := 0; i < Words(n); i++ {
		w := m[i]
		if left := n - i<<6; left < 64 {
			w &= 1<<uint(left) - 1
		}
		for w != 0 {
			sel = append(sel, int32(i<<6+bits.TrailingZeros64(w)))
			w &= w - 1
		}
	}
	return sel
}

// bitmapOf views a buffer's bytes as words. The buffer is 64-byte aligned.
func bitmapOf(p []byte, n int) Bitmap {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(p))), Words(n))
}
