package json

import (
	"testing"

	"millrace/formats"
	"millrace/formats/formattest"
	"millrace/types"
)

func TestConformance(t *testing.T) {
	narrow := types.NewSchema(types.Field{Name: "one", Type: types.Of(types.Int)})
	for name, opts := range map[string]Options{
		"default": {},
		"other":   {FailOnMissingField: true, TimestampFormat: ISO8601, DecimalAsPlainNumber: true},
		"sparse":  {IgnoreNullFields: true},
	} {
		t.Run(name, func(t *testing.T) {
			formattest.Run(t, formattest.Format{
				NewDecoder: func(s *types.Schema) (formats.Decoder, error) { return NewDecoder(s, opts) },
				NewEncoder: func(s *types.Schema) (formats.Encoder, error) { return NewEncoder(s, opts) },
				Schemas:    []*types.Schema{formattest.AllTypes(), formattest.NotNull(withoutNull(formattest.AllTypes())), bidSchema(), narrow},
				Bad: [][]byte{
					[]byte(`{`), []byte(` `), []byte(`[]`), []byte(`{"one":1`), []byte(`{"f0":true,"f25":[{"id":1,"tags":["a"`),
					[]byte(`{"f24":[1,2,"x],"one":[]}`), []byte(`{"f26":{"a":[1],"b":[`), []byte(`{"z":tru}`),
				},
			})
		})
	}
}

// withoutNull leaves out columns of type NULL, which can't be NOT NULL.
func withoutNull(s *types.Schema) *types.Schema {
	out := &types.Schema{}
	for _, f := range s.Fields {
		if f.Type.Kind != types.Null {
			out.Fields = append(out.Fields, f)
		}
	}
	return out
}
