package formats

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/failure"
	"millrace/options"
	"millrace/types"
)

// Format makes decoders and encoders from options. Either may be nil, where a
// format knows one direction only.
type Format struct {
	// Options declares the format's keys with their prefix ("json.…").
	Options options.Spec
	Decoder func(*types.Schema, options.Values) (Decoder, error)
	Encoder func(*types.Schema, options.Values) (Encoder, error)
	// Fields tells that of a ROW some fields alone can be decoded: what is not asked for is skipped by name.
	Fields bool
	// Columns is the option that names the fields of a record, in their order, of a format that finds columns by their places; "" stands for a
	// format that finds them by name.
	Columns string
}

// Registry has the formats by the names under which jobs ask for them. It is
// filled by wiring and not changed after use began.
type Registry map[string]Format

// Join returns a connector's own options with those of the formats that are
// asked for under its keys: which keys there are depends on what is given. A
// key that is not given names no format. A name that is not known is an error
// of the user.
func (r Registry) Join(own options.Spec, given map[string]string, keys ...string) (options.Spec, error) {
	joined := []options.Spec{own}
	var names []string
	for _, key := range keys {
		name := given[key]
		if name == "" || slices.Contains(names, name) {
			continue
		}
		f, ok := r[name]
		if !ok {
			return options.Spec{}, failure.User(failure.Message{
				Field: key, Primary: fmt.Sprintf("no format is named %q", name),
				Hint: "known are " + strings.Join(slices.Sorted(maps.Keys(r)), ", "),
			})
		}
		names, joined = append(names, name), append(joined, f.Options)
	}
	return options.Join(own.Name, joined...), nil
}

// Decoder makes a decoder of the format of that name. A format that can't be
// read is an error of the user.
func (r Registry) Decoder(name string, schema *types.Schema, v options.Values) (Decoder, error) {
	f := r[name]
	if f.Decoder == nil {
		return nil, failure.Userf("format %s can't be read", name)
	}
	return f.Decoder(schema, v)
}

// Encoder makes an encoder of the format of that name. A format that can't be
// written is an error of the user.
func (r Registry) Encoder(name string, schema *types.Schema, v options.Values) (Encoder, error) {
	f := r[name]
	if f.Encoder == nil {
		return nil, failure.Userf("format %s can't be written", name)
	}
	return f.Encoder(schema, v)
}
