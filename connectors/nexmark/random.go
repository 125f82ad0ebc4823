package nexmark

import "math/bits"

// gamma is the odd constant by which splitmix64 steps: consecutive numbers land
// far apart.
const gamma = 0x9e3779b97f4a7c15

// mix is the finalizer of splitmix64: every bit of the result depends on every
// bit of z.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// use names what a random number is for. Different uses of one event are
// independent. The numbers are part of what makes a stream: new uses go to the end.
type use uint64

const (
	useAuction use = iota
	useBidder
	usePrice
	useChannel
	useBidExtra
	useName
	useEmail
	useCreditCard
	usePlace
	usePersonExtra
	useItemName
	useDescription
	useReserve
	useExpires
	useSeller
	useAuctionExtra
	useCategory
	usePools
	uses
)

// draw is 64 random bits, from which pick takes some after another.
type draw uint64

// salts holds a starting point for each use.
type salts [uses]uint64

func newSalts(seed int64) (s salts) {
	for u := range s {
		s[u] = mix(mix(uint64(seed)+gamma) + uint64(u)*gamma)
	}
	return s
}

// draw returns the random bits of event n for a use.
func (s *salts) draw(u use, n int64) draw {
	return draw(mix(s[u] + uint64(n)*gamma))
}

// pick returns a number in [0, n) and leaves what randomness is left in d: the
// fraction of d*n/2^64. The ranges picked from one draw must multiply to far
// less than 2^64.
func (d *draw) pick(n int64) int64 {
	hi, lo := bits.Mul64(uint64(*d), uint64(n))
	*d = draw(lo)
	return int64(hi)
}
