package json

import (
	"millrace/internal/failure"
)

// TimestampFormat is the text form of TIMESTAMP and TIMESTAMP_LTZ.
type TimestampFormat uint8

// The timestamp formats.
const (
	// SQL is yyyy-MM-dd HH:mm:ss.S, with a Z behind a TIMESTAMP_LTZ.
	SQL TimestampFormat = iota
	// ISO8601 is yyyy-MM-ddTHH:mm:ss.S, with a Z behind a TIMESTAMP_LTZ.
	ISO8601
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

// Options are the options of the format, under Flink's names. The zero value
// has Flink's defaults.
type Options struct {
	// FailOnMissingField refuses a record in which a wanted field is missing.
	// Default: a missing field is NULL. It excludes IgnoreParseErrors.
	FailOnMissingField bool `option:"json.fail-on-missing-field"`
	// IgnoreParseErrors makes a value that does not convert NULL, and skips a
	// record that is not JSON or in which a NOT NULL value does not convert.
	// Decoder.Ignored counts both. Default: the record is refused.
	IgnoreParseErrors bool `option:"json.ignore-parse-errors"`
	// TimestampFormat is the text form of timestamps, in both directions.
	TimestampFormat TimestampFormat `option:"json.timestamp-format.standard"`
	// MapNullKeyMode and MapNullKeyLiteral are for the encoder. An empty
	// literal is "null".
	MapNullKeyMode    MapNullKeyMode `option:"json.map-null-key.mode"`
	MapNullKeyLiteral string         `option:"json.map-null-key.literal"`
	// DecimalAsPlainNumber writes 0.000000027 where the default writes 2.7E-8.
	DecimalAsPlainNumber bool `option:"json.encode.decimal-as-plain-number"`
	// IgnoreNullFields leaves NULL fields out of the encoded objects.
	IgnoreNullFields bool `option:"json.encode.ignore-null-fields"`
	// AllowControlCharacters takes control characters that stand unescaped in
	// a string, as Flink does and JSON does not. Default: such a record is
	// refused. The name is ours.
	AllowControlCharacters bool `option:"json.allow-unescaped-control-chars"`
}

// Validate reports options that exclude each other or are unknown, as errors of the user.
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
