package command

import (
	"context"
	"fmt"

	"millrace/cmd/command/script"
	"millrace/expr"
	"millrace/internal/failure"
	"millrace/internal/stack"
	"millrace/jobgraph"
	"millrace/operators"
	"millrace/types"
)

// calls are the functions of the executable's program that statements may call. What calls one is a job of the program: its task managers have the functions, which they
// find by describing the program's own job.
type calls struct {
	program *jobgraph.ProgramSpec // nil: there are none
	called  bool                  // by a statement since the last job
}

// functions returns what statements may call: those of the process, and of the program. Arguments are those of the program's job.
func (s *sqlRun) functions(process *expr.Registry, args []string) (*expr.Registry, error) {
	if s.program == nil {
		return process, nil
	}
	g, functions, err := s.describeWith(args)
	if err != nil {
		fmt.Fprintf(s.cmd.ErrOrStderr(), "warning: statements can't call functions of %s, whose job can't be described: %v\n", s.name, err)
		return process, nil
	}
	of, ok := functions.(operators.Callable)
	if !ok || g.Program == nil || len(g.Program.Functions) == 0 {
		return process, nil
	}
	s.calls.program = g.Program
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

// owned has a runner make jobs those of the program that call its functions.
func (c *calls) owned(r *script.Runner) {
	ready := r.Ready
	r.Ready = func(ctx context.Context, g *jobgraph.Graph) (*jobgraph.Graph, error) {
		if c.called && c.program != nil {
			c.called, g.Program = false, c.program
		}
		if ready == nil {
			return g, nil
		}
		return ready(ctx, g)
	}
}
