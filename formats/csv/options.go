package csv

import (
	"strconv"
	"unicode/utf8"

	"millrace/failure"
	"millrace/options"
)

const (
	keyDelimiter  = "field-delimiter"
	keyNoQuote    = "disable-quote-character"
	keyQuote      = "quote-character"
	keyComments   = "allow-comments"
	keyIgnore     = "ignore-parse-errors"
	keyElement    = "array-element-delimiter"
	keyEscape     = "escape-character"
	keyNull       = "null-literal"
	keyScientific = "write-bigdecimal-in-scientific-notation"
)

// Columns is the option that names the fields of a record.
const Columns = "columns"

// Spec declares the options of the format, under Flink's keys without the
// prefix "csv." that they have in a table's options.
var Spec = options.Spec{Name: "csv", Options: []options.Option{
	{Key: keyDelimiter, Default: ",", Doc: `What stands between fields: one character, which may be written as \t or \u0001.`},
	{Key: keyNoQuote, Type: options.Bool, Default: "false", Doc: "Whether there are no quotes: each character stands for itself. It excludes quote-character."},
	{Key: keyQuote, Default: `"`, Doc: "What encloses fields that contain a delimiter or a line break."},
	{Key: keyComments, Type: options.Bool, Default: "false", Doc: "Whether records that begin with # are left out."},
	{
		Key: keyIgnore, Type: options.Bool, Default: "false",
		Doc: "Whether a value that does not convert, or is missing, becomes NULL, and a record that is none is left out. Otherwise the record is refused.",
	},
	{Key: keyElement, Default: ";", Doc: "What stands between the elements of an ARRAY or ROW."},
	{Key: keyEscape, Doc: "What makes the character behind it stand for itself. Without it there is none.", Example: `\`},
	{Key: keyNull, Doc: `What stands for NULL. Without it no field is read as NULL, and NULL is written as an empty field.`, Example: "n/a"},
	{
		Key: keyScientific, Type: options.Bool, Default: "true",
		Doc: "Whether decimals far below 1 are written as 2.7E-8, not as 0.000000027.",
	},
	{
		Key: Columns, Type: options.List, Example: "id;name;price",
		Doc: "The names of a record's fields, in order, where a job reads some columns only or in another order. Otherwise a record has the columns that are read.",
	},
}}

// Options are the options of the format as Spec documents them.
type Options struct {
	Delimiter, Element byte
	Quote, Escape      byte // 0: there is none
	Comments           bool
	IgnoreParseErrors  bool
	HasNull            bool // Null stands for NULL; otherwise nothing does
	Null               string
	ScientificDecimal  bool
	Columns            []string // nil: those of the schema
}

// OptionsOf reads the options out of values in which the keys of Spec have a
// prefix. All problems are reported at once, as an error of the user.
func OptionsOf(v options.Values, prefix string) (Options, error) {
	var problems failure.Problems
	char := func(key string) byte {
		c, ok := character(v.Text(prefix + key))
		if !ok {
			problems.Addf("", prefix+key, "must be one character of ASCII, not %q", v.Text(prefix+key))
		}
		return c
	}
	o := Options{
		Delimiter: char(keyDelimiter), Element: char(keyElement), Quote: char(keyQuote),
		Comments: v.Bool(prefix + keyComments), IgnoreParseErrors: v.Bool(prefix + keyIgnore),
		HasNull: v.IsGiven(prefix + keyNull), Null: v.Text(prefix + keyNull), ScientificDecimal: v.Bool(prefix + keyScientific),
		Columns: v.List(prefix + Columns),
	}
	if v.IsGiven(prefix + keyEscape) {
		o.Escape = char(keyEscape)
	}
	if v.Bool(prefix + keyNoQuote) {
		if v.IsGiven(prefix + keyQuote) {
			problems.Addf("", prefix+keyQuote, "can't be given together with %s", prefix+keyNoQuote)
		}
		o.Quote = 0
	}
	o.apart(prefix, &problems)
	return o, problems.Err()
}

// apart checks that no character has two meanings.
func (o *Options) apart(prefix string, problems *failure.Problems) {
	meaning := map[byte]string{'\n': "a line end", '\r': "a line end"}
	for _, c := range []struct {
		key  string
		char byte
	}{{keyDelimiter, o.Delimiter}, {keyElement, o.Element}, {keyQuote, o.Quote}, {keyEscape, o.Escape}} {
		if c.char == 0 {
			continue
		}
		if other, taken := meaning[c.char]; taken {
			problems.Addf("", prefix+c.key, "%q is %s already", c.char, other)
		}
		meaning[c.char] = prefix + c.key
	}
	for i := range len(o.Null) {
		if what, taken := meaning[o.Null[i]]; taken && o.Null[i] != o.Element {
			problems.Addf("", prefix+keyNull, "contains %q, which is %s", o.Null[i], what)
		}
	}
}

// character reads a character of ASCII other than NUL, plain or escaped as in
// Java.
func character(s string) (byte, bool) {
	if len(s) > 1 && s[0] == '\\' {
		r, _, tail, err := strconv.UnquoteChar(s, '"')
		if err != nil || tail != "" || r >= utf8.RuneSelf {
			return 0, false
		}
		s = string(r)
	}
	if len(s) != 1 || s[0] >= utf8.RuneSelf || s[0] == 0 {
		return 0, false
	}
	return s[0], true
}
