package taskmanager

import (
	"errors"
	"fmt"
	"sync"

	"millrace/expr"
	"millrace/failure"
	"millrace/internal/stack"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	"millrace/operators"
	"millrace/taskmanager/task"
)

// body is what the program of this process has for an attempt: described once, by whichever of its tasks comes first. Attempts
// share nothing, so that what one leaves behind in the user's variables is not what the next begins with.
type body struct {
	once      sync.Once
	functions operators.Functions
	err       error
}

// functions returns those of the job's program; nil where the job needs none.
func (a *attempt) functions(g *jobgraph.Graph) (operators.Functions, error) {
	if !g.Natives() {
		return nil, nil
	}
	a.body.once.Do(func() { a.body.functions, a.body.err = describe(a.tm.Program, g) })
	return a.body.functions, a.body.err
}

// describe has the program describe the job again, and compares.
func describe(p Program, g *jobgraph.Graph) (operators.Functions, error) {
	if p == nil || p.Build() != g.Program.Build {
		return nil, failure.Internalf("a task of build %s of program %s came to a task manager that does not carry it", g.Program.Build, g.Program.Name)
	}
	again, functions, err := describeAgain(p, g.Program)
	if err != nil {
		return nil, fmt.Errorf("describe the job again, as at its submit: %w", err)
	}
	digest, err := codec.Digest(again)
	switch {
	case err != nil:
		return nil, fmt.Errorf("describe the job again, as at its submit: %w", err)
	case digest != g.Program.Digest:
		return nil, another(codec.Difference(again, g))
	case functions == nil:
		return nil, failure.Internal(errors.New("the program gives no functions for its job"))
	}
	return functions, nil
}

func describeAgain(p Program, spec *jobgraph.ProgramSpec) (g *jobgraph.Graph, f operators.Functions, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = failure.Userf("%s", stack.Panic(r))
		}
	}()
	env := spec.Env
	if env == nil {
		env = map[string]string{} // nil would be another plan
	}
	return p.Describe(spec.Args, env)
}

func another(what string) error {
	return failure.User(failure.Message{
		Primary: "the program builds another job here than at its submit", Detail: what,
		Hint: "let the description depend on its arguments alone: ask for environment variables by env.Require, and use neither random numbers, " +
			"the time, what a host has, nor the order of a map; then submit again",
	})
}

// callable returns what expressions of a job may call: what the process has, and what the job's program adds.
func callable(process *expr.Registry, p *jobgraph.ProgramSpec, functions operators.Functions) (*expr.Registry, error) {
	if p == nil || len(p.Functions) == 0 {
		return process, nil
	}
	of, ok := functions.(operators.Callable)
	if !ok {
		return nil, failure.Internal(errors.New("the program gives no functions for expressions"))
	}
	return p.Registry(process, of.Implementation)
}

// native makes an operator of the user's. What the user wrote may panic.
func (b *builder) native(spec *jobgraph.OperatorSpec) (op operators.Operator, err error) {
	defer task.UserFailure(&err, "operator", spec.UID)
	functions, err := b.a.functions(b.plan.graph)
	if err != nil {
		return nil, err
	}
	return functions.Native(spec)
}

// open opens an operator.
func (b *builder) open(spec *jobgraph.OperatorSpec, op operators.Operator, ctx *operators.Context) (err error) {
	if spec.Kind() == jobgraph.KindNative {
		defer task.UserFailure(&err, "operator", spec.UID)
	}
	return op.Open(ctx)
}
