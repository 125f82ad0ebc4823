package expr

import (
	"fmt"
	"slices"
	"strings"

	"millrace/types"
)

// FuncKind tells what a function takes and gives.
type FuncKind uint8

// The kinds.
const (
	// ScalarFunc gives one value for the arguments of one row.
	ScalarFunc FuncKind = iota + 1
	// TableFunc gives rows for the arguments of one row. The type that it resolves to is that of one of its rows: a ROW, or
	// the type of its only column.
	TableFunc
	// AggregateFunc gives one value for the rows of a group. Built-in ones are no signatures: see Aggregates.
	AggregateFunc
)

// Variadic as Signature.MaxArgs allows any number of arguments up to ArgsMax.
const Variadic = -1

// Signature says which arguments a function takes and what it gives. It is
// data: what the function computes stands beside the kernels.
type Signature struct {
	// Name is unique in a registry and upper case; operators go by their symbol. A name with a dot in it is that of a class of another program
	// and stands as it has it: no text calls it so, CREATE FUNCTION gives it another name.
	Name             string
	Kind             FuncKind
	MinArgs, MaxArgs int
	// Params returns the types to which arguments of the given types are cast
	// before the call, or an error that says which argument doesn't fit. Root
	// nullability is ignored. Nil takes the arguments as they are.
	Params func(args []types.Type) ([]types.Type, error)
	// Resolve returns the type of the result for arguments as Params left them.
	Resolve func(args []types.Type) (types.Type, error)
	// ResolveArgs takes the place of Resolve where the type goes by the value of
	// a constant argument.
	ResolveArgs func(args []Expr) (types.Type, error)
	// Constants are the positions of arguments that must be constants other than
	// NULL: a unit, a field.
	Constants []int
	// Varies tells that equal arguments may give different values: the function
	// reads the clock or draws lots. A call is not folded.
	Varies bool
	// Internal tells that planners alone call it: no text names it, and no list has it.
	Internal bool
	// Zoned tells that the value goes by the session's time zone.
	Zoned bool
	// Impl evaluates a function that expr/kernel does not know itself: one of the
	// types that its New functions return. It is opaque here.
	Impl any
	// Declared is what a function of a program says of itself; nil for others.
	Declared *Declared
	// Family is the heading under which the list of functions has it.
	Family string
	// Usage is how SQL writes a call, Doc one sentence, and Example a call of
	// constants that is executed for the list of functions; there may be none.
	Usage, Doc, Example string
}

// Registry is a set of signatures. It is filled by explicit calls of Register;
// after that it may be read by any number of goroutines.
type Registry struct {
	byName map[string]Signature
	below  *Registry // has more; nil: nothing
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry { return &Registry{byName: make(map[string]Signature)} }

// Register adds signatures. A name that is taken is an error.
func (r *Registry) Register(sigs ...Signature) error {
	for _, s := range sigs {
		if s.Name == "" || s.Name != strings.ToUpper(s.Name) && !s.IsClass() || s.Resolve == nil && s.ResolveArgs == nil {
			return fmt.Errorf("register function %q: a name in upper case and a Resolve are required", s.Name)
		}
		if _, taken := r.Lookup(s.Name); taken {
			return fmt.Errorf("register function %s: the name is taken", s.Name)
		}
		r.byName[s.Name] = s
	}
	return nil
}

// IsClass tells whether the name is that of a class.
func (s *Signature) IsClass() bool { return strings.Contains(s.Name, ".") }

// Lookup finds a signature by name, in any case unless it is that of a class.
func (r *Registry) Lookup(name string) (Signature, bool) {
	s, ok := r.byName[name]
	if !ok {
		s, ok = r.byName[strings.ToUpper(name)]
	}
	if !ok && r.below != nil {
		return r.below.Lookup(name)
	}
	return s, ok
}

// Callable finds a signature as Lookup does, if a text may name it.
func (r *Registry) Callable(name string) (Signature, bool) {
	s, ok := r.Lookup(name)
	if s.Internal {
		return Signature{}, false
	}
	return s, ok
}

// Names returns the names in order, without internal ones.
func (r *Registry) Names() []string {
	names := make([]string, 0, len(r.byName))
	for n, s := range r.byName {
		if !s.Internal {
			names = append(names, n)
		}
	}
	if r.below != nil {
		names = append(names, r.below.Names()...)
	}
	slices.Sort(names)
	return names
}

// arity reports whether the function takes n arguments.
func (s *Signature) arity(n int) error {
	most := s.MaxArgs
	if most == Variadic {
		most = ArgsMax
	}
	switch {
	case n >= s.MinArgs && n <= most:
		return nil
	case s.MinArgs == most:
		return fmt.Errorf("%s takes %d arguments, got %d", s.Name, most, n)
	default:
		return fmt.Errorf("%s takes %d to %d arguments, got %d", s.Name, s.MinArgs, most, n)
	}
}

// params returns the types that the arguments must have, each with the
// nullability of the argument.
func (s *Signature) params(args []types.Type) ([]types.Type, error) {
	if err := s.arity(len(args)); err != nil {
		return nil, err
	}
	if s.Params == nil {
		return args, nil
	}
	want, err := s.Params(args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	out := make([]types.Type, len(args))
	for i := range out {
		out[i] = want[i]
		out[i].Nullable = args[i].Nullable
	}
	return out, nil
}

// NewCall builds a call of the named function. Arguments of other types than
// the function's parameters are cast where Flink casts implicitly (numbers to
// wider ones, NULL to anything, text to the time it is compared with); what
// can't be is an error.
func NewCall(reg *Registry, name string, args ...Expr) (*Call, error) {
	sig, ok := reg.Lookup(name)
	if !ok {
		return nil, fmt.Errorf("no function %s", name)
	}
	want, err := sig.params(typesOf(args))
	if err != nil {
		return nil, err
	}
	cast := make([]Expr, len(args))
	for i, a := range args {
		cast[i] = coerce(a, want[i])
	}
	t, err := sig.result(cast)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", sig.Name, err)
	}
	return &Call{Func: sig.Name, Args: cast, T: t}, nil
}

// result returns the type of the function's value.
func (s *Signature) result(args []Expr) (types.Type, error) {
	for _, i := range s.Constants {
		if i >= len(args) {
			break
		}
		if l, ok := args[i].(*Literal); !ok || l.Value == nil {
			return types.Type{}, fmt.Errorf("argument %d must be a constant", i+1)
		}
	}
	if s.ResolveArgs != nil {
		return s.ResolveArgs(args)
	}
	return s.Resolve(typesOf(args))
}

func typesOf(es []Expr) []types.Type {
	ts := make([]types.Type, len(es))
	for i, e := range es {
		ts[i] = e.Type()
	}
	return ts
}

// coerce makes an implicit cast explicit. The cast keeps the nullability of
// its argument.
func coerce(e Expr, to types.Type) Expr {
	t := e.Type()
	if t.EqualIgnoringNull(to) {
		return e
	}
	if l, ok := e.(*Literal); ok && l.Value == nil {
		return &Literal{T: to.AsNullable()}
	}
	to.Nullable = t.Nullable
	return &Cast{X: e, To: to}
}
