package datagen

import (
	"hash/fnv"
	"math/bits"
)

// gamma is the odd constant by which splitmix64 steps.
const gamma = 0x9e3779b97f4a7c15

// mix is the finalizer of splitmix64: every bit of the result depends on every
// bit of z.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// saltOf is where the random numbers of a column begin. They go by its name, so
// that a column is the same whatever else is read.
func saltOf(seed int64, column string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(column)) // a hash takes everything
	return mix(mix(uint64(seed)+gamma) ^ h.Sum64())
}

// random gives the random numbers of one value, one after another.
type random uint64

func randomOf(salt uint64, row int64) random { return random(mix(salt + uint64(row)*gamma)) }

func (r *random) next() uint64 {
	*r += gamma
	return mix(uint64(*r))
}

// below returns a number in [0, n); n = 0 stands for 2^64.
func (r *random) below(n uint64) uint64 {
	x := r.next()
	if n == 0 {
		return x
	}
	hi, _ := bits.Mul64(x, n)
	return hi
}

// unit returns a number in [0, 1).
func (r *random) unit() float64 { return float64(r.next()>>11) / (1 << 53) }
