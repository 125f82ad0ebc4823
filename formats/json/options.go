package json

import (
	"millrace/failure"
	"millrace/formats/scalar"
	"millrace/options"
)

// Spec declares the options of the format, under Flink's keys without the
// prefix "json." that they have in a table's options.
var Spec = options.Spec{Name: "json", Options: []options.Option{
	{
		Key: "fail-on-missing-field", Type: options.Bool, Default: "false",
		Doc: "Whether a record that lacks a wanted field is refused. Otherwise the field is NULL. It excludes ignore-parse-errors.",
	},
	{
		Key: "ignore-parse-errors", Type: options.Bool, Default: "false",
		Doc: "Whether a value that does not convert becomes NULL and a record that is not JSON is skipped. Both are counted. Otherwise the record is refused.",
	},
	{
		Key: "timestamp-format.standard", Type: options.Enum, Values: []string{"SQL", "ISO-8601"}, Default: "SQL",
		Doc: "The text form of TIMESTAMP and TIMESTAMP_LTZ: yyyy-MM-dd HH:mm:ss.S or yyyy-MM-ddTHH:mm:ss.S, with a Z behind a TIMESTAMP_LTZ.",
	},
	{
		Key: "map-null-key.mode", Type: options.Enum, Values: []string{"FAIL", "DROP", "LITERAL"}, Default: "FAIL",
		Doc: "What is made of a NULL key of a MAP when it is written: the row is refused, the entry left out, or map-null-key.literal written.",
	},
	{Key: "map-null-key.literal", Default: "null", Doc: "What is written for a NULL key of a MAP in mode LITERAL."},
	{
		Key: "encode.decimal-as-plain-number", Type: options.Bool, Default: "false",
		Doc: "Whether decimals are always written as plain numbers: 0.000000027 instead of 2.7E-8.",
	},
	{Key: "encode.ignore-null-fields", Type: options.Bool, Default: "false", Doc: "Whether NULL fields are left out when rows are written."},
	{
		Key: "allow-unescaped-control-chars", Type: options.Bool, Default: "false",
		Doc: "Whether control characters may stand unescaped in strings, against JSON's grammar. Flink always allows them.",
	},
}}

// TimestampFormat is the text form of TIMESTAMP and TIMESTAMP_LTZ.
type TimestampFormat = scalar.TimestampFormat

// The timestamp formats.
const (
	SQL     = scalar.SQL
	ISO8601 = scalar.ISO8601
)

// MapNullKeyMode says what the encoder makes of a NULL key of a MAP.
type MapNullKeyMode uint8

// The modes.
const (
	// NullKeyFail refuses the row.
	NullKeyFail MapNullKeyMode = iota
	// NullKeyDrop leaves the entry out.
	NullKeyDrop
	// NullKeyLiteral writes Options.MapNullKeyLiteral as the key.
	NullKeyLiteral
)

// Options are the options of the format as Spec documents them. The zero value
// has the defaults.
type Options struct {
	FailOnMissingField     bool
	IgnoreParseErrors      bool // Decoder.Ignored counts what it hides
	TimestampFormat        TimestampFormat
	MapNullKeyMode         MapNullKeyMode
	MapNullKeyLiteral      string // "" is "null"
	DecimalAsPlainNumber   bool
	IgnoreNullFields       bool
	AllowControlCharacters bool
}

// OptionsOf reads the options out of values in which the keys of Spec have a
// prefix: "json." or "value.json." in those of a table.
func OptionsOf(v options.Values, prefix string) Options {
	o := Options{
		FailOnMissingField:     v.Bool(prefix + "fail-on-missing-field"),
		IgnoreParseErrors:      v.Bool(prefix + "ignore-parse-errors"),
		MapNullKeyLiteral:      v.Text(prefix + "map-null-key.literal"),
		DecimalAsPlainNumber:   v.Bool(prefix + "encode.decimal-as-plain-number"),
		IgnoreNullFields:       v.Bool(prefix + "encode.ignore-null-fields"),
		AllowControlCharacters: v.Bool(prefix + "allow-unescaped-control-chars"),
	}
	if v.Text(prefix+"timestamp-format.standard") == "ISO-8601" {
		o.TimestampFormat = ISO8601
	}
	switch v.Text(prefix + "map-null-key.mode") {
	case "DROP":
		o.MapNullKeyMode = NullKeyDrop
	case "LITERAL":
		o.MapNullKeyMode = NullKeyLiteral
	}
	return o
}

// Validate reports options that exclude each other or are unknown, as errors of
// the user.
func (o Options) Validate() error {
	var problems failure.Problems
	if o.FailOnMissingField && o.IgnoreParseErrors {
		problems.Addf("", "json.fail-on-missing-field", "can't be enabled together with json.ignore-parse-errors")
	}
	if o.TimestampFormat > ISO8601 {
		problems.Addf("", "json.timestamp-format.standard", "must be SQL or ISO-8601")
	}
	if o.MapNullKeyMode > NullKeyLiteral {
		problems.Addf("", "json.map-null-key.mode", "must be FAIL, DROP or LITERAL")
	}
	return problems.Err()
}

func (o Options) nullKeyLiteral() string {
	if o.MapNullKeyLiteral == "" {
		return "null"
	}
	return o.MapNullKeyLiteral
}
