package sdk

import (
	"os"
	"path/filepath"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/internal/stack"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/operators"
	"millrace/taskmanager"
)

// program implements taskmanager.Connected: the executable that has a job.
type program struct {
	mainOptions
	job func(*Env)
}

// ProgramOf returns the running executable as one that describes a job. Main is what a program calls; this is for those who run a job in their own process.
func ProgramOf(version string, job func(*Env), options ...MainOption) taskmanager.Program {
	go taskmanager.OwnBuild() // whoever asks for it first should not have to wait
	p := &program{mainOptions{version: version}, job}
	for _, set := range options {
		set(&p.mainOptions)
	}
	return p
}

// Build implements taskmanager.Program.
func (*program) Build() string { return taskmanager.OwnBuild() }

// Name implements taskmanager.Program.
func (*program) Name() string { return strings.TrimSuffix(filepath.Base(os.Args[0]), ".test") }

// Version implements taskmanager.Program.
func (p *program) Version() string { return p.version }

// Connectors implements taskmanager.Connected.
func (p *program) Connectors() *connectors.Registry { return &p.own.registry }

// Describe implements taskmanager.Program.
func (p *program) Describe(args []string, env map[string]string) (*jobgraph.Graph, operators.Functions, error) {
	getenv := os.LookupEnv
	if env != nil {
		getenv = func(name string) (value string, ok bool) { value, ok = env[name]; return value, ok }
	}
	e := NewEnv(args, getenv)
	e.connect(&p.own)
	if err := call(p.job, e); err != nil {
		return nil, nil, err
	}
	g, functions, err := e.Describe()
	if err != nil {
		return nil, nil, err
	}
	if g.Name == "" {
		g.Name = p.Name()
	}
	if !g.Natives() && len(e.Functions()) == 0 && p.own.empty() { // it runs anywhere, and so does all SQL
		return g, functions, nil
	}
	g.Program = &jobgraph.ProgramSpec{Name: p.Name(), Version: p.version, Build: p.Build(), Args: args, Env: e.Environment(), Functions: e.Functions()}
	g.Program.Sources, g.Program.Sinks = g.Connectors(p.own.registry.Sources(), p.own.registry.Sinks())
	if g.Program.Digest, err = codec.Digest(g); err != nil {
		return nil, nil, err
	}
	return g, functions, nil
}

// call runs the user's description.
func call(job func(*Env), e *Env) (err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			err = failure.Userf("the description of the job: %s", stack.Panic(thrown))
		}
	}()
	job(e)
	return nil
}
