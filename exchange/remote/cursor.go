package remote

import "google.golang.org/grpc/mem"

// cursor reads a message that lies in pieces. It takes no references.
type cursor struct {
	pieces mem.BufferSlice
	piece  []byte // what is left of the one before pieces
	left   int
}

func newCursor(s mem.BufferSlice) cursor { return cursor{pieces: s, left: s.Len()} }

// Read fills to. The caller knows that so much is left.
func (c *cursor) Read(to []byte) {
	for len(to) > 0 && c.advance() {
		n := copy(to, c.piece)
		to, c.piece = to[n:], c.piece[n:]
		c.left -= n
	}
}

func (c *cursor) Skip(n int) {
	for n > 0 && c.advance() {
		k := min(n, len(c.piece))
		c.piece = c.piece[k:]
		c.left -= k
		n -= k
	}
}

// advance goes to the next byte; it is false at the end.
func (c *cursor) advance() bool {
	for len(c.piece) == 0 {
		if len(c.pieces) == 0 {
			return false
		}
		c.piece, c.pieces = c.pieces[0].ReadOnlyData(), c.pieces[1:]
	}
	return true
}
