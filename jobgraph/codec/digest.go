package codec

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/proto"

	"millrace/failure"
	"millrace/jobgraph"
)

// Digest returns the SHA-256, in hex, of a graph as its program described it: whatever the graph's own digest says. Graphs that differ in anything else have different ones.
func Digest(g *jobgraph.Graph) (string, error) {
	m, err := ToProto(g)
	if err != nil {
		return "", err
	}
	if m.Program != nil {
		m.Program.Digest = nil
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return "", failure.Internal(fmt.Errorf("write the job graph: %w", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// sum is nil for no sum.
func (e *encoder) sum(field, text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		e.addf(field, "%q is not in hex", text)
	}
	return b
}
