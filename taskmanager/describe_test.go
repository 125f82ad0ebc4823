package taskmanager

import (
	"errors"
	"strings"
	"testing"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/operators"
)

// plans is a program that describes what a test says.
type plans struct {
	build    string
	describe func(args []string, env map[string]string) (*jobgraph.Graph, operators.Functions, error)
	calls    int
}

func (p *plans) Build() string { return p.build }
func (*plans) Name() string    { return "words" }
func (*plans) Version() string { return "1.2" }
func (p *plans) Describe(args []string, env map[string]string) (*jobgraph.Graph, operators.Functions, error) {
	p.calls++
	return p.describe(args, env)
}

// nothing are functions that make nothing.
type nothing struct{}

func (nothing) Native(*jobgraph.OperatorSpec) (operators.Operator, error) { return nil, nil }

var someBuild = strings.Repeat("ab", jobgraph.BuildBytes)

// described is a job of a program, as it describes it.
func described(t *testing.T) *jobgraph.Graph {
	t.Helper()
	g := &jobgraph.Graph{
		Name:    "words",
		Program: &jobgraph.ProgramSpec{Name: "words", Version: "1.2", Build: someBuild, Args: []string{"-x"}},
		Vertices: []jobgraph.Vertex{{
			ID: "v", Source: &jobgraph.SourceSpec{UID: "s", Connector: "kafka", Options: map[string]string{"topic": "words"}},
			Operators: []jobgraph.OperatorSpec{{UID: "f", Body: &jobgraph.NativeSpec{What: "map"}}},
		}},
	}
	var err error
	if g.Program.Digest, err = codec.Digest(g); err != nil {
		t.Fatal(err)
	}
	return g
}

// TestDescribeAgain: a task manager has functions only of a program that is the job's and that builds the same job again.
func TestDescribeAgain(t *testing.T) {
	never := failure.Class{Domain: failure.DomainUser, Retry: failure.Never}
	internal := failure.Class{Domain: failure.DomainInternal, Retry: failure.Restart}
	same := func([]string, map[string]string) (*jobgraph.Graph, operators.Functions, error) {
		return described(t), nothing{}, nil
	}
	for _, test := range []struct {
		name     string
		program  *plans
		describe func([]string, map[string]string) (*jobgraph.Graph, operators.Functions, error)
		class    failure.Class
		says     string // nothing: it has functions
	}{
		{name: "the same", describe: same},
		{name: "what it was told", describe: func(args []string, env map[string]string) (*jobgraph.Graph, operators.Functions, error) {
			if len(args) != 1 || args[0] != "-x" || env == nil || len(env) > 0 {
				return nil, nil, errors.New("it was told something else")
			}
			return described(t), nothing{}, nil
		}},
		{name: "another executable", program: &plans{build: strings.Repeat("cd", jobgraph.BuildBytes)}, class: internal, says: "does not carry it"},
		{
			name: "a panic", describe: func([]string, map[string]string) (*jobgraph.Graph, operators.Functions, error) { panic("no such word") },
			class: never, says: "describe the job again, as at its submit: panic: no such word",
		},
		{name: "an error", describe: func([]string, map[string]string) (*jobgraph.Graph, operators.Functions, error) {
			return nil, nil, failure.Userf("no such topic")
		}, class: never, says: "no such topic"},
		{
			name: "no job", describe: func([]string, map[string]string) (*jobgraph.Graph, operators.Functions, error) {
				return nil, nothing{}, nil
			},
			class: never, says: "the job graph is missing",
		},
		{name: "another job", describe: func([]string, map[string]string) (*jobgraph.Graph, operators.Functions, error) {
			g := described(t)
			g.Vertices[0].Operators[0].Body = &jobgraph.NativeSpec{What: "filter"}
			return g, nothing{}, nil
		}, class: never, says: "the program builds another job here than at its submit (operator f of vertex v differs); hint: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			submitted := described(t)
			submitted.Parallelism, submitted.Vertices[0].Source.Options["properties.bootstrap.servers"] = 4, "broker:9092"
			p := test.program
			if p == nil {
				p = &plans{build: someBuild, describe: test.describe}
			}
			a := &attempt{tm: &TaskManager{Options: Options{Program: p}}}
			for range 2 {
				f, err := a.functions(submitted)
				switch {
				case test.says == "" && (err != nil || f == nil):
					t.Fatalf("no functions: %v", err)
				case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || failure.ClassOf(err) != test.class):
					t.Fatalf("got %v of class %s, want %q of %s", err, failure.ClassOf(err), test.says, test.class)
				}
			}
			if p.calls > 1 {
				t.Errorf("it was described %d times for one attempt", p.calls)
			}
		})
	}
	a := &attempt{tm: &TaskManager{}}
	if _, err := a.functions(described(t)); err == nil {
		t.Error("a task manager without a program has functions")
	}
	if f, err := a.functions(&jobgraph.Graph{}); f != nil || err != nil {
		t.Errorf("a job without functions has %v, %v", f, err)
	}
}

// TestOwnBuild: the build is a SHA-256, and the same each time.
func TestOwnBuild(t *testing.T) {
	if b := OwnBuild(); len(b) != 2*jobgraph.BuildBytes || b != OwnBuild() {
		t.Errorf("the build of this test is %q", b)
	}
}
