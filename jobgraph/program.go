package jobgraph

import (
	"encoding/hex"
	"fmt"
	"slices"

	"millrace/expr"
	"millrace/failure"
	"millrace/types"
)

// ProgramSpec is the executable that describes a job and has the functions of its native operators. Functions never travel: whoever
// runs them is the same executable, finds them by describing the job once more, and compares what it described.
type ProgramSpec struct {
	// Name is what people call it; Version what it says of itself.
	Name, Version string
	// Build is the SHA-256 of the executable's file, in hex.
	Build string
	// Args are what it was told about the job, Env what it asked its environment for.
	Args []string
	Env  map[string]string
	// Digest is the SHA-256 of the graph as the program described it, in hex (codec.Digest).
	Digest string
	// Functions are what expressions of the job may call beside what every cluster has.
	Functions []FunctionSpec
	// Sources and Sinks are the connectors that the job has and only the program knows, by their names.
	Sources, Sinks []string
}

// FunctionKind tells what a function of a program is to expressions.
type FunctionKind uint8

// The function kinds. The numbers are durable.
const (
	ScalarFunction    FunctionKind = 1
	AggregateFunction FunctionKind = 2
	TableFunction     FunctionKind = 3
)

// FunctionSpec is the signature of a function of a program.
type FunctionSpec struct {
	Name string
	Kind FunctionKind
	Args []types.Type
	// Result is what a scalar or aggregate function gives. Columns are those of a table function.
	Result  types.Type
	Columns []types.Field
	// Deterministic functions give the same for the same arguments: they may be called less often, and ahead of time.
	Deterministic bool
	// Accumulator, Retracts and Merges are those of an aggregate function: see expr.Declared.
	Accumulator []types.Field
	Retracts    bool
	Merges      bool
}

var functionKinds = map[FunctionKind]expr.FuncKind{ScalarFunction: expr.ScalarFunc, AggregateFunction: expr.AggregateFunc, TableFunction: expr.TableFunc}

// Declared returns the function as expressions know it.
func (f *FunctionSpec) Declared() *expr.Declared {
	out := &expr.Declared{
		Name: f.Name, Kind: functionKinds[f.Kind], Args: f.Args, Result: f.Result, Varies: !f.Deterministic,
		Accumulator: f.Accumulator, Retracts: f.Retracts, Merges: f.Merges,
	}
	if f.Kind == TableFunction {
		out.Result = types.RowOf(f.Columns...).NotNull()
	}
	return out
}

// Registry returns the functions of a job: those of a process and those of the job's program, which impl evaluates. It may return nil where nobody evaluates them.
func (p *ProgramSpec) Registry(process *expr.Registry, impl func(*FunctionSpec) any) (*expr.Registry, error) {
	if p == nil || len(p.Functions) == 0 {
		return process, nil
	}
	var problems failure.Problems
	var all []expr.Signature
	for i := range p.Functions {
		d := p.Functions[i].Declared()
		if err := process.CheckDeclared(d); err != nil {
			problems.Addf("", fmt.Sprintf("program.functions[%d].name", i), "%s", err)
		}
		all = append(all, d.Signature(impl(&p.Functions[i])))
	}
	if err := problems.Err(); err != nil {
		return nil, err
	}
	out, err := process.With(all...)
	return out, failure.User(err)
}

// BuildBytes is the length of builds and digests: they are SHA-256.
const BuildBytes = 32

// Natives tells whether tasks of the job need its program: for functions, or for sources and sinks that nobody else has.
func (g *Graph) Natives() bool {
	for i := range g.Vertices {
		for k := range g.Vertices[i].Operators {
			if g.Vertices[i].Operators[k].Kind() == KindNative {
				return true
			}
		}
	}
	p := g.Program
	return p != nil && (len(p.Functions) > 0 || len(p.Sources) > 0 || len(p.Sinks) > 0)
}

// Connectors returns which of some sources and sinks the job has, sorted.
func (g *Graph) Connectors(sources, sinks []string) (ofSources, ofSinks []string) {
	add := func(to []string, of []string, name string) []string {
		if slices.Contains(of, name) && !slices.Contains(to, name) {
			to = append(to, name)
		}
		return to
	}
	for i := range g.Vertices {
		v := &g.Vertices[i]
		if v.Source != nil {
			ofSources = add(ofSources, sources, v.Source.Connector)
		}
		if v.Sink != nil {
			ofSinks = add(ofSinks, sinks, v.Sink.Connector)
		}
	}
	slices.Sort(ofSources)
	slices.Sort(ofSinks)
	return ofSources, ofSinks
}

// program checks who has the job's functions.
func (v *validator) program() {
	p := v.g.Program
	if p == nil {
		if v.g.Natives() {
			v.add("", "program", "is missing: the job has native operators, whose functions only a program has")
		}
		return
	}
	v.text("", "program.name", p.Name)
	v.text("", "program.version", p.Version)
	v.sum("program.build", p.Build)
	v.sum("program.digest", p.Digest)
	v.atMost("", "program.args", len(p.Args), ArgsMax)
	v.atMost("", "program.env", len(p.Env), ArgsMax)
	if v.atMost("", "program.functions", len(p.Functions), FunctionsMax) {
		v.functions(p.Functions)
	}
	v.own("sources", "source", p.Sources, v.known.Sources())
	v.own("sinks", "sink", p.Sinks, v.known.Sinks())
}

// own checks the names of connectors that only the program has.
func (v *validator) own(list, what string, names, known []string) {
	if !v.atMost("", "program."+list, len(names), VerticesMax) {
		return
	}
	for i, name := range names {
		field := fmt.Sprintf("program.%s[%d]", list, i)
		v.word("", field, name)
		if contains(known, name) {
			v.add("", field, "there is a %s connector %s already", what, name)
		}
	}
}

// HasSource tells whether a source connector is the program's own.
func (p *ProgramSpec) HasSource(connector string) bool {
	return p != nil && contains(p.Sources, connector)
}

// HasSink tells whether a sink connector is the program's own.
func (p *ProgramSpec) HasSink(connector string) bool { return p != nil && contains(p.Sinks, connector) }

func (v *validator) sum(field, text string) {
	if b, err := hex.DecodeString(text); err != nil || len(b) != BuildBytes {
		v.add("", field, "%q is no SHA-256 in hex", text)
	}
}

func (v *validator) functions(all []FunctionSpec) {
	seen := make(map[string]bool)
	for i := range all {
		f, field := &all[i], fmt.Sprintf("program.functions[%d]", i)
		v.word("", field+".name", f.Name)
		if err := v.known.Functions().CheckDeclared(f.Declared()); err != nil {
			v.add("", field+".name", "%s", err)
		}
		if seen[f.Name] {
			v.add("", field+".name", "another function has the name %s", f.Name)
		}
		seen[f.Name] = true
		v.atMost("", field+".args", len(f.Args), expr.ArgsMax)
		for k, t := range f.Args {
			v.typ(fmt.Sprintf("%s.args[%d]", field, k), t)
		}
		switch f.Kind {
		case ScalarFunction:
			v.typ(field+".result", f.Result)
		case AggregateFunction:
			v.typ(field+".result", f.Result)
			v.accumulator(field, f)
		case TableFunction:
			v.schema("", field+".columns", &types.Schema{Fields: f.Columns})
		default:
			v.add("", field+".kind", "no kind of function has the number %d", f.Kind)
		}
	}
}

// accumulator checks what an aggregate function keeps of a group.
func (v *validator) accumulator(field string, f *FunctionSpec) {
	if len(f.Args) == 0 {
		v.add("", field+".args", "an aggregate function takes an argument")
	}
	if len(f.Accumulator) == 0 {
		v.add("", field+".accumulator", "there are no columns")
		return
	}
	if !v.schema("", field+".accumulator", &types.Schema{Fields: f.Accumulator}) {
		return
	}
	for i, c := range f.Accumulator {
		if c.Type.Nullable || !Sortable(c.Type) {
			v.add("", fmt.Sprintf("%s.accumulator[%d]", field, i), "%s can't stand in state", c.Type)
		}
	}
}

func (v *validator) typ(field string, t types.Type) {
	if err := t.Validate(); err != nil {
		v.add("", field, "%s", err)
	}
}

// callable finds what expressions may call: what every cluster has, and what the program adds. What is wrong with that was said.
func (v *validator) callable() {
	v.calls = v.known.Functions()
	all, err := v.g.Program.Registry(v.calls, func(*FunctionSpec) any { return nil })
	if err == nil {
		v.calls = all
	}
}
