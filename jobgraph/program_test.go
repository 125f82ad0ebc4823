package jobgraph_test

import (
	"strings"
	"testing"

	"millrace/expr"
	"millrace/jobgraph"
	"millrace/types"
)

// TestFunctionsOfAProgram: expressions may call what the program says that it has, as it says, and nothing that takes another's name.
func TestFunctionsOfAProgram(t *testing.T) {
	number := types.Of(types.BigInt)
	scalar := jobgraph.FunctionSpec{Name: "NEARBY", Kind: jobgraph.ScalarFunction, Args: []types.Type{number}, Result: number}
	keeps := jobgraph.FunctionSpec{
		Name: "TALLY", Kind: jobgraph.AggregateFunction, Args: []types.Type{number}, Result: number, Accumulator: []types.Field{{Name: "n", Type: number.NotNull()}},
	}
	makes := jobgraph.FunctionSpec{Name: "PARTS", Kind: jobgraph.TableFunction, Args: []types.Type{number}, Columns: []types.Field{{Name: "part", Type: types.StringType()}}}
	with := func(change func(f *jobgraph.FunctionSpec), f jobgraph.FunctionSpec) jobgraph.FunctionSpec {
		change(&f)
		return f
	}
	for name, c := range map[string]struct {
		functions []jobgraph.FunctionSpec
		want      string // "" stands
	}{
		"there":                {[]jobgraph.FunctionSpec{scalar, keeps}, ""},
		"missing":              {nil, `no function "NEARBY"`},
		"rows of others":       {[]jobgraph.FunctionSpec{scalar, with(func(f *jobgraph.FunctionSpec) { f.Columns = []types.Field{{Name: "part", Type: number}} }, makes)}, "but PARTS gives ROW<`part` BIGINT>"},
		"rows of no argument":  {[]jobgraph.FunctionSpec{scalar, with(func(f *jobgraph.FunctionSpec) { f.Args = nil }, makes)}, "PARTS takes 0 arguments, got 1"},
		"no rows":              {[]jobgraph.FunctionSpec{scalar, with(func(f *jobgraph.FunctionSpec) { f.Name = "PARTS" }, scalar)}, "PARTS is no table function"},
		"of other arguments":   {[]jobgraph.FunctionSpec{with(func(f *jobgraph.FunctionSpec) { f.Args = []types.Type{types.StringType()} }, scalar)}, "want STRING"},
		"an aggregate":         {[]jobgraph.FunctionSpec{with(func(f *jobgraph.FunctionSpec) { f.Name = "NEARBY" }, keeps)}, "no function of the values of one row"},
		"a name that is taken": {[]jobgraph.FunctionSpec{scalar, with(func(f *jobgraph.FunctionSpec) { f.Name = "ABS" }, scalar)}, "there is a function ABS already"},
		"a name in lower case": {[]jobgraph.FunctionSpec{scalar, with(func(f *jobgraph.FunctionSpec) { f.Name = "abc" }, scalar)}, "no name of a function"},
		"two of a name":        {[]jobgraph.FunctionSpec{scalar, scalar}, "another function has the name NEARBY"},
		"nothing kept":         {[]jobgraph.FunctionSpec{scalar, with(func(f *jobgraph.FunctionSpec) { f.Accumulator = nil }, keeps)}, "there are no columns"},
		"a list kept": {[]jobgraph.FunctionSpec{scalar, with(func(f *jobgraph.FunctionSpec) {
			f.Accumulator = []types.Field{{Name: "all", Type: types.ArrayOf(number).NotNull()}}
		}, keeps)}, "can't stand in state"},
	} {
		t.Run(name, func(t *testing.T) {
			column := &expr.Column{Index: 0, Name: "n", T: number}
			g := &jobgraph.Graph{
				Name: "calls",
				Vertices: []jobgraph.Vertex{{
					ID: "v", Source: &jobgraph.SourceSpec{UID: "s", Connector: "nexmark", Schema: types.NewSchema(types.Field{Name: "n", Type: number})},
					Operators: []jobgraph.OperatorSpec{{UID: "c", Body: &jobgraph.CalcSpec{Columns: []jobgraph.Projection{
						{Name: "m", Expr: &expr.Call{Func: "NEARBY", Args: []expr.Expr{column}, T: number}},
					}}}, {UID: "parts", Body: &jobgraph.CorrelateSpec{
						Func: "PARTS", Args: []expr.Expr{&expr.Column{Index: 0, Name: "m", T: number}}, Columns: []types.Field{{Name: "part", Type: types.StringType()}},
					}}},
					Sink: &jobgraph.SinkSpec{UID: "k", Connector: "print"},
				}},
				Program: &jobgraph.ProgramSpec{Name: "p", Build: strings.Repeat("00", jobgraph.BuildBytes), Digest: strings.Repeat("00", jobgraph.BuildBytes), Functions: c.functions},
			}
			err := jobgraph.Validate(g, cluster{})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestConnectorsOfAProgram: what only the program has needs no check here, and tasks of the job need the program.
func TestConnectorsOfAProgram(t *testing.T) {
	for name, c := range map[string]struct {
		sources, sinks []string
		want           string // "" stands
	}{
		"there":            {[]string{"feed"}, []string{"ledger"}, ""},
		"no source":        {nil, []string{"ledger"}, `no source connector is named "feed"`},
		"no sink":          {[]string{"feed"}, nil, `no sink connector is named "ledger"`},
		"one that is here": {[]string{"feed", "kafka"}, []string{"ledger"}, "program.sources[1]: there is a source connector kafka already"},
		"a sink too":       {[]string{"feed"}, []string{"ledger", "print"}, "program.sinks[1]: there is a sink connector print already"},
		"no name":          {[]string{"feed", ""}, []string{"ledger"}, "program.sources[1]: is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			sum := strings.Repeat("00", jobgraph.BuildBytes)
			g := &jobgraph.Graph{
				Name: "own",
				Vertices: []jobgraph.Vertex{{
					ID:     "v",
					Source: &jobgraph.SourceSpec{UID: "s", Connector: "feed", Options: map[string]string{"bad": ""}, Schema: types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt)})},
					Sink:   &jobgraph.SinkSpec{UID: "k", Connector: "ledger", Options: map[string]string{"bad": ""}},
				}},
				Program: &jobgraph.ProgramSpec{Name: "p", Build: sum, Digest: sum, Sources: c.sources, Sinks: c.sinks},
			}
			err := jobgraph.Validate(g, cluster{})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if sources, sinks := g.Connectors(c.sources, c.sinks); !g.Natives() || len(sources) > 1 || len(sinks) > 1 {
				t.Errorf("the job needs its program: %t, for %v and %v", g.Natives(), sources, sinks)
			}
		})
	}
	if (&jobgraph.Graph{Program: &jobgraph.ProgramSpec{}}).Natives() {
		t.Error("a job without any needs its program")
	}
}
