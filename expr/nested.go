package expr

import (
	"fmt"
	"strconv"

	"millrace/types"
)

func nested() []Signature {
	return []Signature{
		{Name: "ROW", Kind: ScalarFunc, MinArgs: 1, MaxArgs: Variadic, Resolve: rowType, Doc: "A ROW of the arguments, with the fields EXPR$0, EXPR$1 and so on."},
		{Name: "ARRAY", Kind: ScalarFunc, MinArgs: 1, MaxArgs: Variadic, Params: commonParams, Resolve: arrayType, Doc: "An ARRAY of the arguments."},
		{Name: "SPLIT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: parameters(textParam), Resolve: always(types.ArrayOf(types.StringType())), Doc: "The parts of a text between delimiters, as an ARRAY; its characters where the delimiter is empty."},
		{Name: "GET", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, ResolveArgs: fieldType, Constants: []int{1}, Doc: "A field of a ROW, by its position from 0; NULL where the ROW is."},
		{Name: "AT", Kind: ScalarFunc, MinArgs: 2, MaxArgs: 2, Params: parameters(param{isArray, "an ARRAY", types.Type{}, true}, intParam), Resolve: elementType, Doc: "The element of an ARRAY at a position from 1; NULL beyond the end."},
		{Name: "ELEMENT", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: parameters(param{isArray, "an ARRAY", types.Type{}, true}), Resolve: elementType, Doc: "The only element of an ARRAY; NULL of an empty one."},
		{Name: "CARDINALITY", Kind: ScalarFunc, MinArgs: 1, MaxArgs: 1, Params: parameters(param{isCollection, "an ARRAY or MAP", types.Type{}, true}), Resolve: always(integer), Doc: "Number of elements of an ARRAY, of entries of a MAP."},
	}
}

// NewField builds the access to a field of a ROW by its name: GET.
func NewField(reg *Registry, row Expr, name string) (*Call, error) {
	t := row.Type()
	if t.Kind != types.Row {
		return nil, fmt.Errorf("%s is %s, which has no field %s", row, t, name)
	}
	for i, f := range t.Fields {
		if f.Name == name {
			return NewCall(reg, "GET", row, Int(int32(i)))
		}
	}
	return nil, fmt.Errorf("%s is %s, which has no field %s", row, t, name)
}

func isArray(t types.Type) bool      { return t.Kind == types.Array }
func isCollection(t types.Type) bool { return t.Kind == types.Array || t.Kind == types.Map }

func fieldType(args []Expr) (types.Type, error) {
	row := args[0].Type()
	if row.Kind != types.Row {
		return types.Type{}, refuse(0, row, "a ROW")
	}
	i, ok := args[1].(*Literal).Value.(int64)
	if !ok || i < 0 || i >= int64(len(row.Fields)) {
		return types.Type{}, fmt.Errorf("field %s of a ROW with %d", args[1], len(row.Fields))
	}
	t := row.Fields[i].Type
	t.Nullable = t.Nullable || row.Nullable
	return t, nil
}

// elementType is NULL beyond the end, whatever the array holds.
func elementType(args []types.Type) (types.Type, error) { return args[0].Elem.AsNullable(), nil }

// rowType names the fields as Flink does.
func rowType(args []types.Type) (types.Type, error) {
	fields := make([]types.Field, len(args))
	for i, t := range args {
		if t.Kind == types.Null {
			return types.Type{}, fmt.Errorf("the type of argument %d, NULL, is not known; cast it", i+1)
		}
		fields[i] = types.Field{Name: "EXPR$" + strconv.Itoa(i), Type: t}
	}
	return types.RowOf(fields...).NotNull(), nil
}

// arrayType is NOT NULL, and so are its elements if all arguments are.
func arrayType(args []types.Type) (types.Type, error) {
	return types.ArrayOf(nullableIfAny(args[0], args)).NotNull(), nil
}
