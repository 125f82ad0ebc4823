package codec

import (
	"fmt"

	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

// schema returns nil for nil.
func (d *decoder) schema(field string, s *jobv1.Schema) *types.Schema {
	if s == nil {
		return nil
	}
	return types.NewSchema(d.fields(field, s.Fields, 0)...)
}

func (d *decoder) fields(field string, in []*jobv1.Field, depth int) []types.Field {
	if len(in) == 0 {
		return nil
	}
	out := make([]types.Field, len(in))
	for i, f := range in {
		at := fmt.Sprintf("%s.fields[%d]", field, i)
		out[i] = types.Field{Name: f.GetName(), Type: d.typ(at+".type", f.GetType(), depth)}
	}
	return out
}

// typ decodes a type as it is written; only that it is one of Flink's at all is
// checked at the root, with types.Validate's words.
func (d *decoder) typ(field string, t *jobv1.Type, depth int) types.Type {
	found := d.problems.Len()
	out := d.nested(field, t, depth)
	if depth > 0 || d.problems.Len() > found {
		return out
	}
	if err := out.Validate(); err != nil {
		d.addf(field, "%s", err)
	}
	return out
}

func (d *decoder) nested(field string, t *jobv1.Type, depth int) types.Type {
	switch {
	case t == nil:
		d.addf(field, "is missing")
		return types.Type{}
	case depth > types.MaxTypeDepth:
		d.addf(field, "type is nested deeper than %d", types.MaxTypeDepth)
		return types.Type{}
	case t.Kind <= jobv1.TypeKind_TYPE_KIND_UNSPECIFIED || t.Kind > jobv1.TypeKind(types.Null):
		d.addf(field, "no type has the kind %s", t.Kind)
		return types.Type{}
	}
	out := types.Type{
		Kind: types.Kind(t.Kind), Nullable: !t.NotNull,
		Precision: int(t.Precision), Scale: int(t.Scale), Length: int(t.Length),
		Fields: d.fields(field, t.Fields, depth+1),
	}
	if t.Key != nil {
		key := d.typ(field+".key", t.Key, depth+1)
		out.Key = &key
	}
	if t.Elem != nil {
		elem := d.typ(field+".elem", t.Elem, depth+1)
		out.Elem = &elem
	}
	return out
}
