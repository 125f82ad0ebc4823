package expr

import (
	"fmt"

	"millrace/types"
)

// bytesOrText takes both.
var bytesOrText = param{func(t types.Type) bool { return isText(t) || isBinary(t) }, "text or bytes", types.StringType(), true}

// texts are the functions of text.
func texts() []Signature {
	text, str := parameters(textParam), types.StringType()
	return append([]Signature{
		{Name: "CHAR_LENGTH", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: always(integer), Doc: "Number of characters."},
		{Name: "CHARACTER_LENGTH", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: always(integer), Doc: "Same as CHAR_LENGTH."},
		{Name: "UPPER", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: firstType, Doc: "Text in upper case."},
		{Name: "LOWER", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: firstType, Doc: "Text in lower case."},
		{Name: "INITCAP", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: firstType, Doc: "Text with the first letter of each word in upper case, the others in lower case."},
		{Name: "||", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: text, Resolve: joinedText, Doc: "Concatenation."},
		{Name: "CONCAT", Kind: ScalarFunc, MinArgs: 1, MaxArgs: Variadic, Params: text, Resolve: always(str), Doc: "Concatenation; NULL if an argument is."},
		{Name: "CONCAT_WS", Kind: ScalarFunc, MinArgs: 1, MaxArgs: Variadic, Params: text, Resolve: separatedResult, Doc: "The arguments that are not NULL, with the first one between them; NULL if that is."},
		{Name: "POSITION", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: text, Resolve: always(integer), Doc: "Where the first text occurs first in the second, from 1; 0 if it does not."},
		{Name: "LOCATE", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 3, Params: parameters(textParam, textParam, intParam), Resolve: always(integer), Doc: "Where the first text occurs first in the second, from a position on; 0 if it does not."},
		{Name: "INSTR", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 4, Params: parameters(textParam, textParam, intParam), Resolve: always(integer), Doc: "Where the second text occurs in the first, from a position on (from the end if negative), so many times; 0 if it does not."},
		{Name: "STARTSWITH", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: sameBytes, Resolve: always(boolean), Doc: "Whether the first argument begins with the second."},
		{Name: "ENDSWITH", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: sameBytes, Resolve: always(boolean), Doc: "Whether the first argument ends with the second."},
		{Name: "SUBSTRING", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 3, Params: substringParams, Resolve: substringResult, Doc: "Characters from a position on, counted from 1 or, if negative, from the end."},
		{Name: "SUBSTR", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 3, Params: substringParams, Resolve: substringResult, Doc: "Same as SUBSTRING."},
		{Name: "LEFT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: substringParams, Resolve: substringResult, Doc: "So many characters from the beginning."},
		{Name: "RIGHT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: substringParams, Resolve: substringResult, Doc: "So many characters from the end."},
		{Name: "TRIM", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: text, ResolveArgs: trimType, Constants: []int{0}, Doc: "Text without the characters of another one at both ends (BOTH), its beginning (LEADING) or its end (TRAILING)."},
		{Name: "BTRIM", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: text, Resolve: varyingFirst, Doc: "Text without spaces, or the characters of another one, at both ends."},
		{Name: "LTRIM", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: text, Resolve: varyingFirst, Doc: "Text without spaces, or the characters of another one, at its beginning."},
		{Name: "RTRIM", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 2, Params: text, Resolve: varyingFirst, Doc: "Text without spaces, or the characters of another one, at its end."},
		{Name: "LPAD", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: parameters(textParam, intParam, textParam), Resolve: nullable(str), Doc: "Text filled up to a length at its beginning, or cut to it."},
		{Name: "RPAD", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: parameters(textParam, intParam, textParam), Resolve: nullable(str), Doc: "Text filled up to a length at its end, or cut to it."},
		{Name: "REPEAT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: parameters(textParam, intParam), Resolve: always(str), Doc: "Text so many times."},
		{Name: "REVERSE", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: always(str), Doc: "The characters from the last to the first."},
		{Name: "REPLACE", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: text, Resolve: always(str), Doc: "Text with all occurrences of the second argument replaced by the third."},
		{Name: "OVERLAY", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 4, Params: parameters(textParam, textParam, intParam), Resolve: always(str), Doc: "Text with the second argument in place of its characters from a position on, as many as it has or as the fourth says."},
		{Name: "ASCII", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: always(integer), Doc: "The number of the first character; 0 of an empty text."},
		{Name: "CHR", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: parameters(bigintParam), Resolve: always(str), Doc: "The character of a number modulo 256; '' of a negative one."},
	}, encodings()...)
}

// encodings are the functions that write bytes otherwise, or take text apart.
func encodings() []Signature {
	text, str := parameters(textParam), types.StringType()
	table := []Signature{
		{Name: "TO_BASE64", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: parameters(bytesOrText), Resolve: always(str), Doc: "The bytes in base 64."},
		{Name: "FROM_BASE64", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: always(str), Doc: "The text that stands in base 64; what is no base 64 fails."},
		{Name: "HEX", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: hexParams, Resolve: always(str), Doc: "An integer, or the bytes of a text, in hexadecimal."},
		{Name: "UNHEX", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: nullable(types.BytesType()), Doc: "The bytes that stand in hexadecimal; NULL where they don't."},
		{Name: "BIN", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: parameters(bigintParam), Resolve: always(str), Doc: "An integer in binary."},
		{Name: "SHA2", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: parameters(textParam, intParam), Resolve: always(types.VarCharOf(128)), Doc: "SHA-2 of so many bits, 224, 256, 384 or 512, in hexadecimal."},
		{Name: "UUID", Kind: ScalarFunc, Resolve: neverNull(types.Type{Kind: types.Char, Length: 36}), Varies: true, Doc: "A UUID of version 4 by chance."},
		{Name: "PARSE_URL", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 3, Params: text, Resolve: nullable(str), Doc: "A part of a URL: HOST, PATH, QUERY, REF, PROTOCOL, FILE, AUTHORITY or USERINFO; of QUERY, the value of a key."},
		{Name: "JSON_VALUE", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: text, Resolve: nullable(str), Constants: []int{1}, Doc: "The scalar at a path in JSON, as text; NULL where there is none."},
		{Name: "JSON_EXISTS", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: text, Resolve: always(boolean), Constants: []int{1}, Doc: "Whether there is something at a path in JSON."},
	}
	for _, f := range []struct {
		name   string
		length int
		doc    string
	}{
		{"MD5", 32, "MD5 in hexadecimal."},
		{"SHA1", 40, "SHA-1 in hexadecimal."},
		{"SHA224", 56, "SHA-224 in hexadecimal."},
		{"SHA256", 64, "SHA-256 in hexadecimal."},
		{"SHA384", 96, "SHA-384 in hexadecimal."},
		{"SHA512", 128, "SHA-512 in hexadecimal."},
	} {
		table = append(table, Signature{Name: f.name, Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: always(types.Type{Kind: types.Char, Length: f.length}), Doc: f.doc})
	}
	for _, name := range []string{"IS JSON", "IS NOT JSON"} {
		table = append(table, Signature{Name: name, Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: text, Resolve: always(boolean), Doc: "Test of whether a text is JSON."})
	}
	return table
}

// varyingFirst is the first argument's type without a fixed length.
func varyingFirst(args []types.Type) (types.Type, error) {
	return nullableIfAny(types.VarCharOf(args[0].Length), args), nil
}

// separatedResult is NULL where the separator is.
func separatedResult(args []types.Type) (types.Type, error) {
	return nullableIfAny(types.StringType(), args[:1]), nil
}

// Sides of TRIM.
const (
	TrimBoth     = "BOTH"
	TrimLeading  = "LEADING"
	TrimTrailing = "TRAILING"
)

func trimType(args []Expr) (types.Type, error) {
	switch side := args[0].(*Literal).Value; side {
	case TrimBoth, TrimLeading, TrimTrailing:
		return varyingFirst(typesOf([]Expr{args[2], args[1]}))
	default:
		return types.Type{}, fmt.Errorf("%v is none of %s, %s and %s", side, TrimBoth, TrimLeading, TrimTrailing)
	}
}

// sameBytes takes two texts, or two binaries.
func sameBytes(args []types.Type) ([]types.Type, error) {
	args = withoutNull(args, types.StringType())
	if isText(args[0]) != isText(args[1]) {
		return nil, refuse(1, args[1], args[0].String())
	}
	return parameters(bytesOrText)(args)
}

// hexParams brings integers to BIGINT.
func hexParams(args []types.Type) ([]types.Type, error) {
	if isInteger(args[0]) {
		return []types.Type{types.Of(types.BigInt)}, nil
	}
	return parameters(bytesOrText)(args)
}
