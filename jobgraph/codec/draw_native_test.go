package codec_test

import (
	"encoding/hex"

	"pgregory.net/rapid"

	"millrace/jobgraph"
	"millrace/types"
)

func drawNative(t *rapid.T) *jobgraph.NativeSpec {
	n := &jobgraph.NativeSpec{What: rapid.String().Draw(t, "what")}
	if rapid.Bool().Draw(t, "output") {
		n.Output = drawSchema(t)
	}
	for range rapid.IntRange(0, 2).Draw(t, "native inputs") {
		n.Inputs = append(n.Inputs, jobgraph.NativeInput{Schema: drawSchema(t), Keys: drawKey(t), Broadcast: rapid.Bool().Draw(t, "broadcast")})
	}
	for range rapid.IntRange(0, 2).Draw(t, "sides") {
		n.Sides = append(n.Sides, drawSchema(t))
	}
	for range rapid.IntRange(0, 3).Draw(t, "kept columns") {
		n.Kept = append(n.Kept, rapid.IntRange(-1, 9).Draw(t, "kept"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "tables") {
		table := jobgraph.NativeTable{
			Name: rapid.String().Draw(t, "table"), Shape: jobgraph.NativeShape(rapid.IntRange(1, 6).Draw(t, "shape")), Namespaced: rapid.Bool().Draw(t, "namespaced"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "columns") {
			table.Columns = append(table.Columns, jobgraph.NativeColumn{
				Name: rapid.String().Draw(t, "name"), Type: drawType(t, 1), NullOf: rapid.String().Draw(t, "null of"),
			})
		}
		n.Tables = append(n.Tables, table)
	}
	return n
}

func drawProgram(t *rapid.T) *jobgraph.ProgramSpec {
	p := &jobgraph.ProgramSpec{
		Name: rapid.String().Draw(t, "name"), Version: rapid.String().Draw(t, "version"), Build: drawSum(t), Digest: drawSum(t), Env: drawOptions(t),
	}
	for range rapid.IntRange(0, 2).Draw(t, "args") {
		p.Args = append(p.Args, rapid.String().Draw(t, "arg"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "own sources") {
		p.Sources = append(p.Sources, rapid.String().Draw(t, "source"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "own sinks") {
		p.Sinks = append(p.Sinks, rapid.String().Draw(t, "sink"))
	}
	for range rapid.IntRange(0, 2).Draw(t, "functions") {
		f := jobgraph.FunctionSpec{
			Name: rapid.String().Draw(t, "name"), Kind: jobgraph.FunctionKind(rapid.IntRange(1, 3).Draw(t, "kind")),
			Args: []types.Type{drawType(t, 1)}, Deterministic: rapid.Bool().Draw(t, "deterministic"),
		}
		if f.Kind == jobgraph.TableFunction {
			f.Columns = drawSchema(t).Fields
		} else {
			f.Result = drawType(t, 1)
		}
		if f.Kind == jobgraph.AggregateFunction {
			f.Accumulator, f.Retracts, f.Merges = drawSchema(t).Fields, rapid.Bool().Draw(t, "retracts"), rapid.Bool().Draw(t, "merges")
		}
		p.Functions = append(p.Functions, f)
	}
	return p
}

func drawSum(t *rapid.T) string {
	return hex.EncodeToString(rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "sum"))
}
