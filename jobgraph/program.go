package jobgraph

import (
	"encoding/hex"
	"fmt"

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
}

// BuildBytes is the length of builds and digests: they are SHA-256.
const BuildBytes = 32

// Natives tells whether the job has operators that call functions of its program.
func (g *Graph) Natives() bool {
	for i := range g.Vertices {
		for k := range g.Vertices[i].Operators {
			if g.Vertices[i].Operators[k].Kind() == KindNative {
				return true
			}
		}
	}
	return g.Program != nil && len(g.Program.Functions) > 0
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
}

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
		if seen[f.Name] {
			v.add("", field+".name", "another function has the name %s", f.Name)
		}
		seen[f.Name] = true
		for k, t := range f.Args {
			v.typ(fmt.Sprintf("%s.args[%d]", field, k), t)
		}
		switch f.Kind {
		case ScalarFunction, AggregateFunction:
			v.typ(field+".result", f.Result)
		case TableFunction:
			v.schema("", field+".columns", &types.Schema{Fields: f.Columns})
		default:
			v.add("", field+".kind", "no kind of function has the number %d", f.Kind)
		}
	}
}

func (v *validator) typ(field string, t types.Type) {
	if err := t.Validate(); err != nil {
		v.add("", field, "%s", err)
	}
}
