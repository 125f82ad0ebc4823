package expr

import "millrace/types"

// patterns are the functions that look for a pattern in text.
func patterns() []Signature {
	text := parameters(textParam)
	table := []Signature{
		{Name: "REGEXP", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: text, Resolve: always(boolean), Doc: "Whether a regular expression of Java's syntax occurs in a text."},
		{Name: "REGEXP_EXTRACT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 3, Params: parameters(textParam, textParam, intParam), Resolve: nullable(types.StringType()), Doc: "A group, 0 without one, of where a regular expression occurs first; NULL where it does not."},
		{Name: "REGEXP_REPLACE", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: text, Resolve: always(types.StringType()), Doc: "A text with all occurrences of a regular expression replaced."},
		{Name: "SPLIT_INDEX", Kind: ScalarFunc, MinArgs: 3, MaxArgs: 3, Params: splitParams, Resolve: nullable(types.StringType()), Doc: "The part of a text at an index from 0, between delimiters; NULL where there is none."},
	}
	for _, f := range []struct{ name, doc string }{
		{"LIKE", "Whether a text fits a pattern with % for any text and _ for any character."},
		{"NOT LIKE", "Negation of LIKE."},
		{"SIMILAR TO", "Whether a text fits a regular expression of SQL."},
		{"NOT SIMILAR TO", "Negation of SIMILAR TO."},
	} {
		table = append(table, Signature{Name: f.name, Kind: ScalarFunc, MinArgs: 2, MaxArgs: 3, Params: text, Resolve: always(boolean), Doc: f.doc})
	}
	return table
}

// splitParams takes the delimiter as text or as the number of a character.
func splitParams(args []types.Type) ([]types.Type, error) {
	delimiter := textParam
	if isInteger(args[1]) {
		delimiter = intParam
	}
	return parameters(textParam, delimiter, intParam)(args)
}
