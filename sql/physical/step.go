package physical

import (
	"slices"

	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// changes is the set of what rows may say of others.
type changes uint8

// The changes. Every relation has inserts.
const (
	inserts changes = 0
	updates changes = 1 << iota
	deletes
)

// step is an operator of the job to be.
type step struct {
	operator
	of     plan.Node // whence it comes
	inputs []*step
	out    *types.Schema

	// changes are what the step gives.
	changes changes
	// before tells that somebody needs the -U of what the step gives, and gives that they are there, asked for or not.
	before, gives bool
	// versions tells that somebody needs each change of a key, because each has a time of its own.
	versions bool
	// paired tells that each -U has its +U behind it. A condition over updates may keep one of them.
	paired bool
	// upsert are the sets of columns by each of which rows that follow one another are told apart, in order.
	upsert [][]int
	// dealt is how the step's rows are spread among its tasks, as far as is known.
	dealt spread

	uid types.OperatorUID
}

// operator is what a step does. Its methods are asked when the step's inputs are there.
type operator interface {
	// title names the operator to people, Flink's name where it has one: GroupAggregate.
	title() string
	// asks tells whether the operator needs the -U of an input.
	asks(s *step, input int) bool
	// keeps tells whether -U come out, where asked for or not.
	keeps(s *step) bool
	// spread says how the rows of an input must be dealt out.
	spread(s *step, input int) spread
	// passes returns which column of the first input comes out unchanged as a column.
	passes(s *step, column int) (from int, ok bool)
	// body describes the operator.
	body(s *step) jobgraph.OperatorBody
}

// spread is how rows are dealt out among the tasks of a step.
type spread struct {
	keys   []int // equal values meet; none: see single
	single bool  // all meet
}

var anywhere = spread{}

// by is the spread in which equal values of columns meet; without columns all do.
func by(keys []int) spread { return spread{keys: keys, single: len(keys) == 0} }

// plain has what most operators with one input say of themselves.
type plain struct{}

func (plain) asks(s *step, _ int) bool               { return s.before }
func (plain) keeps(s *step) bool                     { return s.inputs[0].gives }
func (plain) spread(*step, int) spread               { return anywhere }
func (plain) passes(_ *step, column int) (int, bool) { return column, true }

// stateful has what operators say that keep whole rows, take what they took back, and give -U where they are asked for.
type stateful struct{}

func (stateful) asks(*step, int) bool                   { return true }
func (stateful) keeps(s *step) bool                     { return s.before && s.changes&updates != 0 }
func (stateful) passes(_ *step, column int) (int, bool) { return column, true }

// appends tells whether the step's rows never say anything of others.
func (s *step) appends() bool { return s.changes == inserts }

// told returns the sets of columns that tell the step's rows apart, as an operator behind an exchange by keys sees them: those
// sets only that have the keys, for the changes of others may have gone different ways.
func (s *step) told(keys []int) (out [][]int) {
	for _, u := range s.upsert {
		if !slices.ContainsFunc(keys, func(k int) bool { return !slices.Contains(u, k) }) {
			out = append(out, u)
		}
	}
	return out
}

// passed returns the sets of columns behind a step that passes some of them on; to has for each column where it is then, or -1.
func passed(sets [][]int, to func(column int) int) (out [][]int) {
	for _, u := range sets {
		var renumbered []int
		for _, c := range u {
			if to(c) < 0 {
				break
			}
			renumbered = append(renumbered, to(c))
		}
		if len(renumbered) == len(u) {
			out = append(out, renumbered)
		}
	}
	return out
}

// sameSet tells whether two lists of columns have the same columns.
func sameSet(a, b []int) bool { return within(a, b) && within(b, a) }

// within tells whether all columns of a are among those of b.
func within(a, b []int) bool {
	return !slices.ContainsFunc(a, func(c int) bool { return !slices.Contains(b, c) })
}

// changelog shows the changes of the step in Flink's letters.
func (s *step) changelog() string {
	out := "I"
	if s.changes&updates != 0 {
		if s.gives {
			out += ",UB"
		}
		out += ",UA"
	}
	if s.changes&deletes != 0 {
		out += ",D"
	}
	return out
}

// order returns all steps, inputs before those that read them.
func order(ends []*step) (out []*step) {
	seen := make(map[*step]bool)
	var visit func(s *step)
	visit = func(s *step) {
		if seen[s] {
			return
		}
		seen[s] = true
		for _, in := range s.inputs {
			visit(in)
		}
		out = append(out, s)
	}
	for _, s := range ends {
		visit(s)
	}
	return out
}

// settle decides which steps give -U: those asked for them, from the sinks upwards to the sources.
func settle(steps []*step) {
	for _, s := range slices.Backward(steps) {
		for i, in := range s.inputs {
			in.before = in.before || in.changes&updates != 0 && s.asks(s, i)
		}
	}
	for _, s := range steps {
		s.gives = s.changes&updates != 0 && s.keeps(s)
	}
}

// dealtOut returns how a step's rows are spread: by the exchange in front of it or of what is before, as long as its columns come out.
func (s *step) dealtOut() spread {
	if len(s.inputs) == 0 {
		return anywhere
	}
	in := s.spread(s, 0)
	if len(in.keys) == 0 && !in.single {
		if len(s.inputs) > 1 {
			return anywhere
		}
		in = s.inputs[0].dealt
	}
	out := spread{single: in.single}
	for _, k := range in.keys {
		at := -1
		for c := 0; c < s.out.Len() && at < 0; c++ {
			if from, ok := s.passes(s, c); ok && from == k {
				at = c
			}
		}
		if at < 0 {
			return anywhere
		}
		out.keys = append(out.keys, at)
	}
	return out
}

// serves tells whether rows that are spread so need not be dealt out anew.
func (d spread) serves(want spread) bool {
	switch {
	case want.single:
		return d.single
	case len(want.keys) > 0:
		return slices.Equal(d.keys, want.keys)
	default:
		return true
	}
}

// dealtBy tells whether the rows of a step with equal keys are in one task already.
func (p *planner) dealtBy(in *step, keys []int) bool { return in.dealt.serves(by(keys)) }

// bypass removes steps that leave out what does not come.
func bypass(steps []*step) (out []*step) {
	for _, s := range steps {
		for i, in := range s.inputs {
			if _, drops := in.operator.(*dropBefore); drops && !in.inputs[0].gives {
				s.inputs[i] = in.inputs[0]
			}
		}
		if _, drops := s.operator.(*dropBefore); !drops || s.inputs[0].gives {
			out = append(out, s)
		}
	}
	return out
}
