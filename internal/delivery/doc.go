// Package delivery brings messages to the other side of a stream once each and in
// their order, though the stream may break and another take its place.
//
// Each side has a Session. What it says is numbered from 1 and kept until the
// other side acknowledges it; what it hears is counted. A new stream begins with
// both telling the number that they have received, by a handshake of their own, and
// each Resumes behind the number that the other tells. So a message that was
// lost with a stream is sent again, and one that arrived is not. What either side
// tells is final: it has stopped to receive from the stream before.
//
// A session lives in memory and dies with either process: it bridges a network
// that breaks, not a crash. What is kept is bounded. A session that was given more
// is over (ErrOver), since its order would have a hole.
//
// The package starts no goroutine, knows no time and no stream: its user carries
// frames from Take to Receive.
package delivery
