package json

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/options"
)

func TestOptionsOf(t *testing.T) {
	if err := Spec.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		given map[string]string
		want  Options
	}{
		"defaults": {nil, Options{MapNullKeyLiteral: "null"}},
		"one side": {
			map[string]string{"json.fail-on-missing-field": "true", "json.timestamp-format.standard": "iso-8601", "json.map-null-key.mode": "drop", "json.encode.ignore-null-fields": "true"},
			Options{FailOnMissingField: true, TimestampFormat: ISO8601, MapNullKeyMode: NullKeyDrop, MapNullKeyLiteral: "null", IgnoreNullFields: true},
		},
		"other side": {
			map[string]string{"json.ignore-parse-errors": "true", "json.map-null-key.mode": "LITERAL", "json.map-null-key.literal": "n", "json.encode.decimal-as-plain-number": "true", "json.allow-unescaped-control-chars": "true"},
			Options{IgnoreParseErrors: true, MapNullKeyMode: NullKeyLiteral, MapNullKeyLiteral: "n", DecimalAsPlainNumber: true, AllowControlCharacters: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := options.Parse(Spec.Prefixed("json."), c.given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, OptionsOf(v, "json.")); diff != "" {
				t.Error(diff)
			}
		})
	}
}
