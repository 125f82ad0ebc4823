// Command doubler is a program for tests: its job doubles numbers by a function of its own, which can be told to go wrong. It is what
// a program looks like beneath the SDK.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"strconv"

	"millrace/cmd/command"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/operators"
	"millrace/taskmanager"
	"millrace/types"
)

// flavour makes another build of the same program; the linker sets it.
var flavour = "plain"

func main() { command.Main(command.Options{Program: program{}}) }

// program implements taskmanager.Program.
type program struct{}

func (program) Build() string   { return taskmanager.OwnBuild() }
func (program) Name() string    { return "doubler" }
func (program) Version() string { return flavour }

// settings are what the job was told.
type settings struct {
	out             string
	rows, rate      int
	panicAt, exitAt int64
	hangAt          int64
	factor          int64
}

func (program) Describe(args []string, env map[string]string) (*jobgraph.Graph, operators.Functions, error) {
	var s settings
	flags := flag.NewFlagSet("doubler", flag.ContinueOnError)
	flags.SetOutput(os.Stderr)
	flags.StringVar(&s.out, "out", "", "folder for the output")
	flags.IntVar(&s.rows, "rows", 0, "how many numbers there are")
	flags.IntVar(&s.rate, "rate", 10_000, "how many come in a second")
	flags.Int64Var(&s.panicAt, "panic", -1, "the number at which the function panics")
	flags.Int64Var(&s.exitAt, "exit", -1, "the number at which the function ends its process")
	flags.Int64Var(&s.hangAt, "hang", -1, "the number at which the function never returns")
	if err := flags.Parse(args); err != nil {
		return nil, nil, failure.User(err)
	}
	if s.out == "nowhere" {
		panic("there is no such place")
	}
	asked, err := s.require(env)
	if err != nil {
		return nil, nil, err
	}
	g := s.graph()
	g.Program = &jobgraph.ProgramSpec{Name: "doubler", Version: flavour, Build: taskmanager.OwnBuild(), Args: args, Env: asked}
	g.Program.Digest, err = codec.Digest(g)
	return g, functions{s}, err
}

// require asks for FACTOR, and returns what was asked for.
func (s *settings) require(env map[string]string) (map[string]string, error) {
	text, given := env["FACTOR"]
	if env == nil {
		text, given = os.LookupEnv("FACTOR")
	}
	if s.factor = 2; !given {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	s.factor = n
	return map[string]string{"FACTOR": text}, failure.User(err)
}

var schema = types.NewSchema(types.Field{Name: "n", Type: types.Of(types.BigInt).NotNull()})

// graph depends on WHIM without having asked for it, as no description may.
func (s *settings) graph() *jobgraph.Graph {
	what := "double" + os.Getenv("WHIM")
	options := map[string]string{
		"fields.n.kind": "sequence", "fields.n.start": "1", "fields.n.end": "1000000000", "rows-per-second": strconv.Itoa(s.rate), "splits": "1",
	}
	if s.rows > 0 {
		options["number-of-rows"] = strconv.Itoa(s.rows)
	}
	sink := &jobgraph.SinkSpec{UID: "doubled", Connector: "blackhole"}
	if s.out != "" {
		sink.Connector, sink.Options = "filesystem", map[string]string{"path": s.out, "format": "json"}
	}
	return &jobgraph.Graph{
		Name: "doubler",
		Vertices: []jobgraph.Vertex{{
			ID:     "numbers",
			Source: &jobgraph.SourceSpec{UID: "sequence", Connector: "datagen", Options: maps.Clone(options), Schema: schema},
			Operators: []jobgraph.OperatorSpec{{
				UID: "double", Body: &jobgraph.NativeSpec{What: what, Inputs: []jobgraph.NativeInput{{Schema: schema}}, Output: schema},
			}},
			Sink: sink,
		}},
	}
}

// functions are those of one job.
type functions struct{ settings settings }

func (f functions) Native(spec *jobgraph.OperatorSpec) (operators.Operator, error) {
	if spec.UID != "double" {
		return nil, fmt.Errorf("no function of operator %s", spec.UID)
	}
	return &operator{settings: f.settings}, nil
}
