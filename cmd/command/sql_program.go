package command

import (
	"context"
	"fmt"

	"millrace/cmd/command/script"
	"millrace/connectors"
	"millrace/expr"
	"millrace/failure"
	"millrace/internal/stack"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/taskmanager"
	"millrace/types"
)

// calls are what statements may use of the executable's program: its functions, which its task managers find by describing the program's own job, and its connectors. What uses one is
// a job of the program.
type calls struct {
	program *jobgraph.ProgramSpec // nil: there is nothing
	called  bool                  // a function, by a statement since the last job
	own     *connectors.Registry
}

// connectors returns what tables may have: the connectors of the process, and of the program where functions found that it describes a job.
func (s *sqlRun) connectors(process *connectors.Registry) (*connectors.Registry, error) {
	c, ok := s.program.(taskmanager.Connected)
	if !ok || s.calls.program == nil {
		return process, nil
	}
	s.calls.own = c.Connectors()
	return taskmanager.WithProgram(process, c)
}

// functions returns what statements may call: those of the process, and of the program. Arguments are those of the program's job.
func (s *sqlRun) functions(process *expr.Registry, args []string) (*expr.Registry, error) {
	if s.program == nil {
		return process, nil
	}
	g, functions, err := s.describeWith(args)
	if err != nil {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "warning: statements can't use the functions and connectors of %s, whose job can't be described: %v\n", s.name, err)
		return process, nil
	}
	s.calls.program = g.Program
	of, ok := functions.(operators.Callable)
	if !ok || g.Program == nil || len(g.Program.Functions) == 0 {
		return process, nil
	}
	sigs := make([]expr.Signature, len(g.Program.Functions))
	for i := range g.Program.Functions {
		f := &g.Program.Functions[i]
		sigs[i] = f.Declared().Signature(of.Implementation(f))
		params := sigs[i].Params
		sigs[i].Params = func(args []types.Type) ([]types.Type, error) {
			s.calls.called = true
			return params(args)
		}
	}
	all, err := process.With(sigs...)
	return all, failure.User(err)
}

// describeWith has the program describe its job, and returns its functions too.
func (a *app) describeWith(args []string) (g *jobgraph.Graph, f operators.Functions, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = failure.Userf("describe the job: %s", stack.Panic(r))
		}
	}()
	g, f, err = a.program.Describe(args, nil)
	if err == nil && g == nil {
		err = failure.Userf("the program describes no job")
	}
	return g, f, err
}

// owned has a runner make jobs those of the program that use what it has.
func (c *calls) owned(r *script.Runner) {
	ready := r.Ready
	r.Ready = func(ctx context.Context, g *jobgraph.Graph) (*jobgraph.Graph, error) {
		if err := c.settle(g); err != nil {
			return nil, err
		}
		if ready == nil {
			return g, nil
		}
		return ready(ctx, g)
	}
}

// settle says in a graph what it uses of the program, whose connectors check their options: no cluster has them.
func (c *calls) settle(g *jobgraph.Graph) error {
	if c.program == nil {
		return nil
	}
	var sources, sinks []string
	if c.own != nil {
		sources, sinks = g.Connectors(c.own.Sources(), c.own.Sinks())
	}
	if !c.called && len(sources) == 0 && len(sinks) == 0 {
		return nil
	}
	p := *c.program
	p.Sources, p.Sinks = sources, sinks
	c.called, g.Program = false, &p
	if c.own == nil {
		return nil
	}
	return c.own.CheckAll(g)
}
