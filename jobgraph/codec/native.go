package codec

import (
	"encoding/hex"
	"fmt"

	"millrace/jobgraph"
	jobv1 "millrace/proto/millrace/job/v1"
)

func (e *encoder) native(field string, s *jobgraph.NativeSpec) *jobv1.NativeSpec {
	out := &jobv1.NativeSpec{What: s.What, Output: e.schema(field+".output", s.Output)}
	for i, in := range s.Inputs {
		at := fmt.Sprintf("%s.inputs[%d]", field, i)
		out.Inputs = append(out.Inputs, &jobv1.NativeInput{
			Schema: e.schema(at+".schema", in.Schema), Keys: e.ints(at+".keys", in.Keys), Broadcast: in.Broadcast,
		})
	}
	for i, s := range s.Sides {
		out.Sides = append(out.Sides, e.schema(fmt.Sprintf("%s.sides[%d]", field, i), s))
	}
	for _, k := range s.Kept {
		out.Kept = append(out.Kept, e.int(field+".kept", k+1))
	}
	for i := range s.Tables {
		out.Tables = append(out.Tables, e.nativeTable(fmt.Sprintf("%s.tables[%d]", field, i), &s.Tables[i]))
	}
	return out
}

func (e *encoder) nativeTable(field string, t *jobgraph.NativeTable) *jobv1.NativeTable {
	out := &jobv1.NativeTable{Name: t.Name, Shape: jobv1.NativeShape(t.Shape), Namespaced: t.Namespaced}
	for i, c := range t.Columns {
		out.Columns = append(out.Columns, &jobv1.NativeColumn{
			Name: c.Name, Type: e.typ(fmt.Sprintf("%s.columns[%d].type", field, i), c.Type, 0), NullOf: c.NullOf,
		})
	}
	return out
}

func (d *decoder) native(field string, s *jobv1.NativeSpec) *jobgraph.NativeSpec {
	out := &jobgraph.NativeSpec{What: s.GetWhat(), Output: d.schema(field+".output", s.GetOutput())}
	for i, in := range s.GetInputs() {
		at := fmt.Sprintf("%s.inputs[%d]", field, i)
		out.Inputs = append(out.Inputs, jobgraph.NativeInput{
			Schema: d.schema(at+".schema", in.GetSchema()), Keys: ints(in.GetKeys()), Broadcast: in.GetBroadcast(),
		})
	}
	for i, s := range s.GetSides() {
		out.Sides = append(out.Sides, d.schema(fmt.Sprintf("%s.sides[%d]", field, i), s))
	}
	for _, k := range s.GetKept() {
		out.Kept = append(out.Kept, int(k)-1)
	}
	for i, t := range s.GetTables() {
		out.Tables = append(out.Tables, d.nativeTable(fmt.Sprintf("%s.tables[%d]", field, i), t))
	}
	return out
}

func (d *decoder) nativeTable(field string, t *jobv1.NativeTable) jobgraph.NativeTable {
	out := jobgraph.NativeTable{Name: t.GetName(), Namespaced: t.GetNamespaced()}
	if shape := t.GetShape(); shape > 0 && shape <= jobv1.NativeShape_NATIVE_SHAPE_BROADCAST {
		out.Shape = jobgraph.NativeShape(shape)
	} else {
		d.addf(field+".shape", "no shape has the number %d", shape)
	}
	for i, c := range t.GetColumns() {
		out.Columns = append(out.Columns, jobgraph.NativeColumn{
			Name: c.GetName(), Type: d.typ(fmt.Sprintf("%s.columns[%d].type", field, i), c.GetType(), 0), NullOf: c.GetNullOf(),
		})
	}
	return out
}

func (e *encoder) program(p *jobgraph.ProgramSpec) *jobv1.ProgramSpec {
	if p == nil {
		return nil
	}
	out := &jobv1.ProgramSpec{
		Name: p.Name, Version: p.Version, Build: e.sum("program.build", p.Build), Digest: e.sum("program.digest", p.Digest),
		Args: p.Args, Env: copyTexts(p.Env), Sources: p.Sources, Sinks: p.Sinks,
	}
	for i := range p.Functions {
		out.Functions = append(out.Functions, e.function(fmt.Sprintf("program.functions[%d]", i), &p.Functions[i]))
	}
	return out
}

func (e *encoder) function(field string, f *jobgraph.FunctionSpec) *jobv1.FunctionSpec {
	out := &jobv1.FunctionSpec{Name: f.Name, Kind: jobv1.FunctionKind(f.Kind), Deterministic: f.Deterministic, Retracts: f.Retracts, Merges: f.Merges}
	for i, a := range f.Args {
		out.Args = append(out.Args, e.typ(fmt.Sprintf("%s.args[%d]", field, i), a, 0))
	}
	if f.Kind == jobgraph.TableFunction {
		out.Columns = &jobv1.Schema{Fields: e.fields(field+".columns", f.Columns, 0)}
	} else {
		out.Result = e.typ(field+".result", f.Result, 0)
	}
	if f.Kind == jobgraph.AggregateFunction {
		out.Accumulator = &jobv1.Schema{Fields: e.fields(field+".accumulator", f.Accumulator, 0)}
	}
	return out
}

func (d *decoder) program(p *jobv1.ProgramSpec) *jobgraph.ProgramSpec {
	if p == nil {
		return nil
	}
	out := &jobgraph.ProgramSpec{
		Name: p.Name, Version: p.Version, Build: hex.EncodeToString(p.Build), Digest: hex.EncodeToString(p.Digest),
		Env: copyTexts(p.Env),
	}
	out.Args = append(out.Args, p.Args...)
	out.Sources, out.Sinks = append(out.Sources, p.Sources...), append(out.Sinks, p.Sinks...)
	for i, f := range p.Functions {
		out.Functions = append(out.Functions, d.function(fmt.Sprintf("program.functions[%d]", i), f))
	}
	return out
}

func (d *decoder) function(field string, f *jobv1.FunctionSpec) jobgraph.FunctionSpec {
	out := jobgraph.FunctionSpec{Name: f.GetName(), Deterministic: f.GetDeterministic(), Retracts: f.GetRetracts(), Merges: f.GetMerges()}
	if kind := f.GetKind(); kind > 0 && kind <= jobv1.FunctionKind_FUNCTION_KIND_TABLE {
		out.Kind = jobgraph.FunctionKind(kind)
	} else {
		d.addf(field+".kind", "no kind of function has the number %d", kind)
	}
	for i, a := range f.GetArgs() {
		out.Args = append(out.Args, d.typ(fmt.Sprintf("%s.args[%d]", field, i), a, 0))
	}
	if s := d.schema(field+".columns", f.GetColumns()); s != nil {
		out.Columns = s.Fields
	}
	if s := d.schema(field+".accumulator", f.GetAccumulator()); s != nil {
		out.Accumulator = s.Fields
	}
	if out.Kind != jobgraph.TableFunction {
		out.Result = d.typ(field+".result", f.GetResult(), 0)
	}
	return out
}
