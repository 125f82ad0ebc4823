package formats

import (
	"millrace/internal/options"
	"millrace/types"
)

// Format makes decoders and encoders from options. Either may be nil, where a
// format knows one direction only.
type Format struct {
	// Options declares the format's keys with their prefix ("json.…").
	Options options.Spec
	Decoder func(*types.Schema, options.Values) (Decoder, error)
	Encoder func(*types.Schema, options.Values) (Encoder, error)
}

// Registry has the formats by the names under which jobs ask for them. It is
// filled by wiring and not changed after use began.
type Registry map[string]Format
