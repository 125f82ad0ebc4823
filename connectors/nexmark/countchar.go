package nexmark

import (
	"bytes"
	"errors"

	"millrace/expr"
	"millrace/expr/kernel"
	"millrace/stream"
	"millrace/types"
)

// CountCharClass is the name under which the suite's queries create the function.
const CountCharClass = "com.github.nexmark.flink.udf.CountChar"

// CountChar is the suite's function: how many bytes of a text equal the first byte of another, which for ASCII is how often a character occurs.
// A NULL gives NULL. It is registered under CountCharClass.
func CountChar() expr.Signature {
	return expr.Signature{
		Name: CountCharClass, Kind: expr.ScalarFunc, MinArgs: 2, MaxArgs: 2,
		Params: func([]types.Type) ([]types.Type, error) {
			return []types.Type{types.StringType(), types.StringType()}, nil
		},
		Resolve: func(args []types.Type) (types.Type, error) {
			t := types.Of(types.BigInt)
			t.Nullable = args[0].Nullable || args[1].Nullable
			return t, nil
		},
		Doc:  "How often a character occurs in a text.",
		Impl: kernel.NewVectors(countChar),
	}
}

var errNoCharacter = errors.New("the character to be counted is an empty text")

func countChar(r *kernel.Run) error {
	texts, characters, out := r.Arg(0), r.Arg(1), stream.Values[int64](r.Out())
	for i := range r.Rows() {
		if !r.Counts(i) {
			continue
		}
		character := characters.Bytes(i)
		if len(character) == 0 {
			return r.Fail(i, errNoCharacter)
		}
		out[i] = int64(bytes.Count(texts.Bytes(i), character[:1]))
	}
	return nil
}
