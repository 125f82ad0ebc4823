package statetest

import (
	"strings"
	"testing"

	"millrace/stream"
	"millrace/types"
)

// kind is a layout of keys under test.
type kind int

const (
	fixedKeys kind = iota // one BIGINT, NULL among them
	byteKeys              // a VARCHAR with NULLs and a BIGINT
	numKinds
)

// keySpace makes and reads the keys of a kind from their numbers.
type keySpace struct {
	kind   kind
	types  []types.Type
	schema *types.Schema
	reader *stream.KeyReader
	pool   *stream.Pool
}

func newKeySpace(t testing.TB, k kind, pool *stream.Pool) *keySpace {
	s := &keySpace{kind: k, pool: pool, types: []types.Type{types.Of(types.BigInt)}}
	if k == byteKeys {
		s.types = []types.Type{types.StringType(), types.Of(types.BigInt).NotNull()}
	}
	columns := make([]int, len(s.types))
	s.schema = &types.Schema{}
	for i, typ := range s.types {
		columns[i] = i
		s.schema.Fields = append(s.schema.Fields, types.Field{Name: string(rune('a' + i)), Type: typ})
	}
	r, err := stream.NewKeyReader(s.schema, columns)
	if err != nil {
		t.Fatal(err)
	}
	s.reader = r
	return s
}

// keys returns the keys of these numbers, valid until the next call.
func (s *keySpace) keys(numbers []int) *stream.Keys {
	if len(numbers) == 0 {
		return &stream.Keys{Layout: s.reader.Layout()}
	}
	b := s.pool.NewBatch(s.schema, len(numbers))
	defer b.Release()
	for i := range s.types {
		bu := stream.NewBuilder(s.pool, s.types[i], len(numbers))
		for _, n := range numbers {
			s.appendColumn(bu, i, n)
		}
		b.Columns[i] = bu.Finish()
	}
	return s.reader.Read(b)
}

func (s *keySpace) appendColumn(b *stream.Builder, column, n int) {
	switch {
	case s.kind == fixedKeys && n == 0 || s.kind == byteKeys && column == 0 && n%3 == 0:
		b.AppendNull()
	case s.kind == fixedKeys:
		b.AppendInt64(int64(n-1)*7919 - 20_000) // number 1 is the least value, and 0 occurs for none
	case column == 0:
		b.AppendString(strings.Repeat("key", n%7))
	default:
		b.AppendInt64(int64(n))
	}
}

// numbers reads keys back from a builder, and empties it.
func (s *keySpace) numbers(b *stream.KeyBuilder) []int {
	vectors := make([]stream.Vector, len(s.types))
	for i := range vectors {
		vectors[i] = b.Finish(i)
		defer vectors[i].Release()
	}
	last := &vectors[len(vectors)-1]
	out := make([]int, last.Len())
	for i := range out {
		switch {
		case s.kind == byteKeys:
			out[i] = int(stream.Value[int64](last, i))
		case last.IsNull(i):
			out[i] = 0
		default:
			out[i] = int((stream.Value[int64](last, i)+20_000)/7919) + 1
		}
	}
	return out
}

// group returns the key group of a key.
func (s *keySpace) group(n, maxParallelism int) types.KeyGroup {
	return types.KeyGroupOf(s.keys([]int{n}).Hashes[0], maxParallelism)
}
