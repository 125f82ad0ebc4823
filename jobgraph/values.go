package jobgraph

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"

	"millrace/expr"
	"millrace/failure"
	"millrace/options"
	"millrace/types"
)

// ValuesConnector is the source whose rows stand in the graph: those of VALUES.
const ValuesConnector = "values"

// ValuesSpec declares its options: parts of the rows, in the order of their numbers from 0, each a JSON array of rows, which are arrays of values.
// A value is as expr.Literal has it: true and false, a number (also for a DECIMAL, unscaled, and for dates, times and
// intervals, in the unit of their type), text, bytes in base64, and null. FLOAT and DOUBLE have "NaN", "Infinity" and "-Infinity" too.
var ValuesSpec = options.Spec{Name: ValuesConnector, Options: []options.Option{
	{Key: valuesRows, Type: options.Map, Doc: "Parts of the rows, in the order of their numbers from 0: JSON arrays of rows, which are arrays of values in the order of the columns.", Example: `[[1,"a"],[2,null]]`},
}}

const valuesRows = "rows."

// valuesPartBytes is the size from which on another part of the rows begins: a row more must still fit into a value of an option.
const valuesPartBytes = options.ValueBytesMax / 2

// EncodeValues returns the options of a source that gives these rows. It fails, as the user's, for more than options can hold.
func EncodeValues(rows [][]*expr.Literal) (map[string]string, error) {
	out := make(map[string]string)
	var part []byte
	end := func() {
		if len(part) > 0 {
			out[valuesRows+strconv.Itoa(len(out))] = string(append(part, ']'))
		}
		part = nil
	}
	for i, row := range rows {
		text, err := encodeValuesRow(row)
		if err != nil {
			return nil, fmt.Errorf("row %d of VALUES: %w", i+1, err)
		}
		if len(part) > 0 && len(part)+len(text) > valuesPartBytes {
			end()
		}
		part = append(append(part, '['), text...)
		if len(part) > len(text)+1 {
			part[len(part)-len(text)-1] = ','
		}
	}
	end()
	if len(out) > options.KeysMax {
		return nil, failure.Userf("VALUES has more than %d bytes of rows: write them to a file, or with several INSERTs", options.KeysMax*valuesPartBytes)
	}
	return out, nil
}

// EncodeRow returns one row of constants as a row of VALUES stands in options.
func EncodeRow(row []*expr.Literal) (string, error) {
	text, err := encodeValuesRow(row)
	return string(text), err
}

// DecodeRow is the inverse of EncodeRow, for columns that the schema has.
func DecodeRow(text string, schema *types.Schema) (row []any, err error) {
	from := json.NewDecoder(bytes.NewReader([]byte(text)))
	from.UseNumber()
	if err := from.Decode(&row); err != nil || from.More() {
		return nil, failure.Userf("is no JSON array")
	}
	if err := decodeValuesRow(row, schema); err != nil {
		return nil, failure.User(err)
	}
	return row, nil
}

func encodeValuesRow(row []*expr.Literal) ([]byte, error) {
	values := make([]any, len(row))
	for i, l := range row {
		v, err := encodeValue(l.Value)
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i+1, err)
		}
		values[i] = v
	}
	var out bytes.Buffer
	to := json.NewEncoder(&out)
	to.SetEscapeHTML(false)
	if err := to.Encode(values); err != nil {
		return nil, err
	}
	if out.Len() > valuesPartBytes {
		return nil, failure.Userf("%d bytes, at most %d", out.Len(), valuesPartBytes)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// encodeValue returns what JSON has for a value of a literal.
func encodeValue(value any) (any, error) {
	switch v := value.(type) {
	case nil, bool, int64:
		return v, nil
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN", nil
		case math.IsInf(v, 1):
			return "Infinity", nil
		case math.IsInf(v, -1):
			return "-Infinity", nil
		}
		return v, nil
	case types.Int128:
		return json.Number(bigOf(v).String()), nil
	case string:
		if !utf8.ValidString(v) {
			return nil, failure.Userf("the text is not valid UTF-8")
		}
		return v, nil
	case []byte:
		return base64.StdEncoding.EncodeToString(v), nil
	default:
		return nil, failure.Internalf("a %T is no value of a literal", value)
	}
}

func bigOf(v types.Int128) *big.Int {
	out := new(big.Int).Lsh(big.NewInt(v.Hi), 64)
	return out.Add(out, new(big.Int).SetUint64(v.Lo))
}

// DecodeValues returns the rows of a source's options, each a value a column of the schema, as expr.Literal has it. It fails, as the user's, for
// what is no such row.
func DecodeValues(given map[string]string, schema *types.Schema) (rows [][]any, err error) {
	v, err := options.Parse(ValuesSpec, given)
	if err != nil {
		return nil, err
	}
	parts := v.Map(valuesRows)
	for i := range len(parts) {
		key := strconv.Itoa(i)
		text, ok := parts[key]
		if !ok {
			return nil, failure.User(failure.Message{Field: valuesRows + key, Primary: "missing", Hint: "parts are counted from 0, without gaps"})
		}
		var part [][]any
		from := json.NewDecoder(bytes.NewReader([]byte(text)))
		from.UseNumber()
		if err := from.Decode(&part); err != nil || from.More() {
			return nil, failure.User(failure.Message{Field: valuesRows + key, Primary: "is no JSON array of arrays"})
		}
		for _, row := range part {
			if err := decodeValuesRow(row, schema); err != nil {
				return nil, failure.User(failure.Message{Field: valuesRows + key, Primary: fmt.Sprintf("row %d: %s", len(rows)+1, err)})
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// decodeValuesRow makes values of what JSON has.
func decodeValuesRow(row []any, schema *types.Schema) (err error) {
	if len(row) != schema.Len() {
		return fmt.Errorf("%d values for %d columns", len(row), schema.Len())
	}
	for i, f := range schema.Fields {
		if row[i], err = decodeValue(row[i], f.Type); err != nil {
			return fmt.Errorf("column %s: %w", f.Name, err)
		}
		if problems := expr.Check(&expr.Literal{T: f.Type, Value: row[i]}, nil, nil); len(problems) > 0 {
			return fmt.Errorf("column %s: %w", f.Name, problems[0])
		}
	}
	return nil
}

func decodeValue(given any, t types.Type) (any, error) {
	switch v := given.(type) {
	case nil, bool:
		return v, nil
	case string:
		switch t.Layout() {
		case types.LayoutFloat32, types.LayoutFloat64:
			return strconv.ParseFloat(v, 64)
		}
		if t.Kind == types.Binary || t.Kind == types.VarBinary {
			return base64.StdEncoding.DecodeString(v)
		}
		return v, nil
	case json.Number:
		return decodeNumber(string(v), t)
	default:
		return nil, fmt.Errorf("is neither a number, text, true, false nor null")
	}
}

func decodeNumber(text string, t types.Type) (any, error) {
	switch t.Layout() {
	case types.LayoutFloat32, types.LayoutFloat64:
		return strconv.ParseFloat(text, 64)
	case types.LayoutInt128:
		n, ok := new(big.Int).SetString(text, 10)
		if !ok || n.BitLen() > 127 {
			return nil, fmt.Errorf("%s is no %s", text, t)
		}
		low := new(big.Int).And(n, new(big.Int).SetUint64(math.MaxUint64))
		return types.Int128{Lo: low.Uint64(), Hi: new(big.Int).Rsh(n, 64).Int64()}, nil
	default:
		return strconv.ParseInt(text, 10, 64)
	}
}
