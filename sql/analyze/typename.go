package analyze

import (
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/types"
)

// kinds are the types that have no parameters.
var kinds = map[string]types.Kind{
	"BOOLEAN": types.Boolean, "TINYINT": types.TinyInt, "SMALLINT": types.SmallInt, "INT": types.Int, "BIGINT": types.BigInt,
	"FLOAT": types.Float, "DOUBLE": types.Double, "DATE": types.Date, "NULL": types.Null,
}

// typeNamed returns the type that a text names.
func (a *analyzer) typeNamed(t *ast.TypeName) (types.Type, error) {
	out, err := a.typeRoot(t)
	if err != nil {
		return out, err
	}
	out.Nullable = !t.NotNull
	if err := out.Validate(); err != nil {
		return out, a.wrap(t, err)
	}
	return out, nil
}

func (a *analyzer) typeRoot(t *ast.TypeName) (types.Type, error) {
	if k, ok := kinds[t.Name]; ok {
		return types.Of(k), nil
	}
	param := func(i, unsaid int) int {
		if i < len(t.Params) {
			return t.Params[i]
		}
		return unsaid
	}
	switch t.Name {
	case "DECIMAL":
		return types.DecimalOf(param(0, 10), param(1, 0)), nil
	case "CHAR":
		return types.Type{Kind: types.Char, Nullable: true, Length: param(0, 1)}, nil
	case "BINARY":
		return types.Type{Kind: types.Binary, Nullable: true, Length: param(0, 1)}, nil
	case "VARCHAR": // without a length it has none, whatever Flink's documents say
		return types.VarCharOf(param(0, types.MaxLength)), nil
	case "VARBINARY":
		return types.Type{Kind: types.VarBinary, Nullable: true, Length: param(0, types.MaxLength)}, nil
	case "STRING":
		return types.StringType(), nil
	case "BYTES":
		return types.BytesType(), nil
	case "TIME":
		return types.Type{Kind: types.Time, Nullable: true, Precision: param(0, 0)}, nil
	case "TIMESTAMP":
		return types.TimestampOf(param(0, 6)), nil
	case "TIMESTAMP_LTZ":
		return types.TimestampLTZOf(param(0, 6)), nil
	case "INTERVAL":
		if t.Interval != nil && months(t.Interval.From) > 0 {
			return types.Of(types.IntervalYearMonth), nil
		}
		return types.Of(types.IntervalDayTime), nil
	case "ARRAY", "MAP", "ROW":
		return a.typeNested(t)
	case "":
		return types.Type{}, a.unsupported(t, "the type "+t.User.String())
	default:
		return types.Type{}, a.unsupported(t, "the type "+t.Name)
	}
}

func (a *analyzer) typeNested(t *ast.TypeName) (types.Type, error) {
	out := types.Type{Kind: map[string]types.Kind{"ARRAY": types.Array, "MAP": types.Map, "ROW": types.Row}[t.Name], Nullable: true}
	for _, part := range []struct {
		name *ast.TypeName
		to   **types.Type
	}{{t.Key, &out.Key}, {t.Elem, &out.Elem}} {
		if part.name == nil {
			continue
		}
		p, err := a.typeNamed(part.name)
		if err != nil {
			return out, err
		}
		*part.to = &p
	}
	for _, f := range t.Fields {
		p, err := a.typeNamed(f.Type)
		if err != nil {
			return out, err
		}
		out.Fields = append(out.Fields, types.Field{Name: f.Name.Name, Type: p})
	}
	return out, nil
}

// TypeNamed returns the type that a text names, such as DECIMAL(10, 2), or what is wrong with it, with its place.
func TypeNamed(text string) (types.Type, error) {
	t, err := parser.ParseType(text)
	if err != nil {
		return types.Type{}, err
	}
	return newAnalyzer(Input{Text: text}).typeNamed(t)
}
