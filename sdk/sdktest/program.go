package sdktest

import (
	"maps"
	"slices"
	"strings"
	"time"

	"millrace/checkpoint"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/operators"
	"millrace/sdk"
	"millrace/types"
)

// program is a job as it was described: its graph, and the functions of it.
type program struct {
	job       func(*sdk.Env)
	graph     *jobgraph.Graph
	flows     map[types.VertexID]*jobgraph.Flow
	functions operators.Functions
	callable  *expr.Registry // what expressions may call
	zone      *time.Location // nil: UTC
}

// describe has a job described and checks it as a submit does, but for what connectors say of their options.
func (p *Pipeline) describe(job func(*sdk.Env)) (*program, error) {
	env := sdk.NewEnv(p.o.Args, func(name string) (value string, ok bool) {
		value, ok = p.o.Env[name]
		return value, ok
	}, p.o.Program...)
	job(env)
	described, functions, err := env.Describe()
	if err != nil {
		return nil, err
	}
	out := &program{job: job, functions: functions}
	if out.graph, err = travel(described); err != nil {
		return nil, err
	}
	g := out.graph
	if p.o.Parallelism > 0 {
		g.Parallelism = p.o.Parallelism
	}
	g.Parallelism = max(g.Parallelism, 1)
	if g.Name == "" {
		g.Name = "test"
	}
	g.Program = &jobgraph.ProgramSpec{Name: "test", Build: noSum, Digest: noSum, Args: p.o.Args, Env: env.Environment(), Functions: env.Functions()}
	g.BindFunctions()
	if err := jobgraph.Validate(g, known{p.wiring.Known(), g}); err != nil {
		return nil, err
	}
	if g.Zone != "" {
		if out.zone, err = types.LoadZone(g.Zone); err != nil {
			return nil, failure.User(err)
		}
	}
	out.callable, err = g.Program.Registry(p.wiring.Functions, func(f *jobgraph.FunctionSpec) any {
		return functions.(operators.Callable).Implementation(f)
	})
	if err != nil {
		return nil, err
	}
	out.flows, err = jobgraph.Derive(g)
	return out, err
}

// noSum stands for a build and a digest: a test is the program that it runs.
var noSum = strings.Repeat("0", 2*jobgraph.BuildBytes)

// travel returns the graph as it comes out where it goes: what its bytes don't have is not there.
func travel(g *jobgraph.Graph) (*jobgraph.Graph, error) {
	m, err := codec.ToProto(g)
	if err != nil {
		return nil, err
	}
	return codec.FromProto(m)
}

// known is everything that the engine can run, with sources and sinks of any connector.
type known struct {
	jobgraph.Known
	graph *jobgraph.Graph
}

// Sources returns those of the graph.
func (k known) Sources() []string {
	return k.names(func(v *jobgraph.Vertex) (string, bool) {
		if v.Source == nil {
			return "", false
		}
		return v.Source.Connector, true
	})
}

// Sinks returns those of the graph.
func (k known) Sinks() []string {
	return k.names(func(v *jobgraph.Vertex) (string, bool) {
		if v.Sink == nil {
			return "", false
		}
		return v.Sink.Connector, true
	})
}

func (k known) names(of func(*jobgraph.Vertex) (string, bool)) []string {
	names := make(map[string]bool)
	for i := range k.graph.Vertices {
		if name, ok := of(&k.graph.Vertices[i]); ok {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// CheckSource leaves the options to a submit: what they need may be in the configuration of a cluster.
func (known) CheckSource(*jobgraph.SourceSpec) error { return nil }

// CheckSink does so, too.
func (known) CheckSink(*jobgraph.SinkSpec, *types.Schema) error { return nil }

// width returns the parallelism of a vertex.
func (p *program) width(v *jobgraph.Vertex) int {
	if v.Parallelism > 0 {
		return v.Parallelism
	}
	return p.graph.Parallelism
}

// restoreSpec says for which tasks a manifest is dealt out.
func (p *program) restoreSpec() checkpoint.RestoreSpec {
	s := checkpoint.RestoreSpec{
		Parallelism: make(map[types.VertexID]int32), MaxParallelism: p.graph.KeyGroups(), Hears: checkpoint.Hears(p.graph),
	}
	for i := range p.graph.Vertices {
		s.Parallelism[p.graph.Vertices[i].ID] = int32(p.width(&p.graph.Vertices[i]))
	}
	return s
}
