package csv

import (
	"fmt"

	"millrace/failure"
	"millrace/types"
)

// field is what becomes of a field of a record, or of an element of one.
type field struct {
	name   string
	typ    types.Type
	column int // unwanted: no column asks for it
	// elems are the fields of a ROW, or the one of which an ARRAY has any number.
	elems []field
}

const unwanted = -1

// plan lists the fields of a record, in order.
func plan(schema *types.Schema, o *Options) ([]field, error) {
	if err := schema.Validate(); err != nil {
		return nil, failure.User(fmt.Errorf("csv schema: %w", err))
	}
	var problems failure.Problems
	for _, f := range schema.Fields {
		check(f.Name, f.Type, false, &problems)
	}
	if o.Columns == nil {
		return fieldsOf(schema.Fields), problems.Err()
	}
	fields := make([]field, len(o.Columns))
	there := make(map[string]bool, len(o.Columns))
	for i, name := range o.Columns {
		if there[name] {
			problems.Addf("", "csv.columns", "names %s twice", name)
		}
		there[name] = true
		fields[i] = field{name: name, column: unwanted}
		if c := schema.Index(name); c >= 0 {
			fields[i] = fieldOf(schema.Fields[c], c)
		}
	}
	for _, f := range schema.Fields {
		if !there[f.Name] {
			problems.Addf("", "csv.columns", "does not name the column %s", f.Name)
		}
	}
	return fields, problems.Err()
}

func fieldsOf(of []types.Field) []field {
	fields := make([]field, len(of))
	for i, f := range of {
		fields[i] = fieldOf(f, i)
	}
	return fields
}

func fieldOf(f types.Field, column int) field {
	out := field{name: f.Name, typ: f.Type, column: column}
	switch f.Type.Kind {
	case types.Row:
		out.elems = fieldsOf(f.Type.Fields)
	case types.Array:
		out.elems = []field{{name: f.Name, typ: *f.Type.Elem}}
	}
	return out
}

// check refuses types that have no form.
func check(name string, t types.Type, nested bool, problems *failure.Problems) {
	switch t.Kind {
	case types.Array, types.Row:
		if nested {
			problems.Addf("", name, "csv has no form for %s within another type", t)
			return
		}
		for _, f := range fieldOf(types.Field{Name: name, Type: t}, 0).elems {
			check(name, f.typ, true, problems)
		}
	case types.Map:
		problems.Addf("", name, "csv has no form for %s", t)
	}
}
