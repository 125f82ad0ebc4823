package physical

import (
	"slices"
	"time"

	"millrace/jobgraph"
	"millrace/sql/plan"
)

// join pairs the rows of two inputs, whenever they come.
type join struct {
	spec jobgraph.JoinSpec
}

func (*join) title() string { return "Join" }

// asks for the -U of a side whose rows are not told apart by a key that has that of the join.
func (j *join) asks(_ *step, input int) bool {
	return j.spec.Side(input).Changelog == jobgraph.RetractChangelog
}

// keeps -U: a join takes back what it gave by whole rows.
func (j *join) keeps(s *step) bool { return s.changes&updates != 0 }

func (j *join) spread(_ *step, input int) spread { return by(j.spec.Keys.Of(input)) }

func (j *join) passes(_ *step, column int) (int, bool) {
	return passesLeft(j.spec.Type, &j.spec.Keys, column)
}

func (j *join) body(*step) jobgraph.OperatorBody {
	spec := j.spec
	return &spec
}

var joinTypes = map[plan.JoinKind]jobgraph.JoinType{
	plan.Inner: jobgraph.InnerJoin, plan.Left: jobgraph.LeftJoin, plan.Right: jobgraph.RightJoin,
	plan.Full: jobgraph.FullJoin, plan.Semi: jobgraph.SemiJoin, plan.Anti: jobgraph.AntiJoin,
}

func (p *planner) join(n *plan.Join) *step {
	left, right := p.step(n.Left), p.step(n.Right)
	if keys := joinKeys(n.Keys).Right; n.Single && !slices.ContainsFunc(right.upsert, func(u []int) bool { return within(u, keys) }) {
		p.refuse("let it be an aggregate without GROUP BY, or join the relation", "a subquery that stands for a value may give several rows, of which none is the greatest: %s", plan.Line(n.Right))
		return nil
	}
	if n.Window != nil || n.Interval != nil {
		if s := p.timed(n, left, right); s != nil {
			return s
		}
		n = p.unbounded(n, left, right)
	}
	j := &join{spec: jobgraph.JoinSpec{Type: joinTypes[n.Kind], Keys: joinKeys(n.Keys), Condition: p.joinCondition(n.Condition, left, right)}}
	ttls := p.ttls(n.Hints, "left", "right")
	p.heed(n.Hints, stateTTLHint)
	s := &step{operator: j, of: n, inputs: []*step{left, right}, paired: true, changes: j.changes(left, right)}
	s.upsert = j.upsert(left, right)
	for i, in := range s.inputs {
		*j.spec.Side(i) = j.side(i, in, ttls[i])
		if j.spec.Side(i).Changelog == jobgraph.UpsertChangelog {
			s.inputs[i] = p.withoutBefore(in)
		}
	}
	return p.add(s)
}

// side says how the rows of an input take others back, and what tells them apart.
func (j *join) side(input int, in *step, ttl time.Duration) jobgraph.JoinSide {
	out := jobgraph.JoinSide{TTL: ttl}
	keys := j.spec.Keys.Of(input)
	if told := in.told(keys); len(told) > 0 {
		out.Unique = slices.MinFunc(told, func(a, b []int) int { return len(a) - len(b) })
	}
	if in.appends() {
		return out
	}
	out.Changelog = jobgraph.RetractChangelog
	// With a key that has that of the join, an update meets the row that it replaces where that is kept.
	if len(out.Unique) > 0 && len(keys) > 0 && in.paired && !j.padded(input, in) {
		out.Changelog = jobgraph.UpsertChangelog
	}
	return out
}

// padded tells whether rows of an input may come out without a match although a key of theirs is NULL, which a join does not keep.
func (j *join) padded(input int, in *step) bool {
	alone := j.spec.Type.Outer(input) || j.spec.Type.LeftOnly() && input == 0
	return alone && slices.ContainsFunc(j.spec.Keys.Of(input), func(k int) bool { return in.out.Fields[k].Type.Nullable })
}

func (j *join) changes(left, right *step) changes {
	if left.appends() && right.appends() && (j.spec.Type == jobgraph.InnerJoin || j.spec.Type == jobgraph.SemiJoin) {
		return inserts
	}
	return updates | deletes
}

// upsert are the sets of columns that tell pairs apart: those of both sides, or of one side alone whose rows meet one row at most.
func (j *join) upsert(left, right *step) (out [][]int) {
	l, r := left.told(j.spec.Keys.Left), right.told(j.spec.Keys.Right)
	if j.spec.Type.LeftOnly() {
		return l
	}
	width := left.out.Len()
	shifted := make([][]int, len(r))
	for i, u := range r {
		for _, c := range u {
			shifted[i] = append(shifted[i], c+width)
		}
	}
	oneRight := slices.ContainsFunc(right.upsert, func(u []int) bool { return within(u, j.spec.Keys.Right) })
	oneLeft := slices.ContainsFunc(left.upsert, func(u []int) bool { return within(u, j.spec.Keys.Left) })
	if oneRight && !j.spec.Type.Outer(1) {
		out = append(out, l...)
	}
	if oneLeft && !j.spec.Type.Outer(0) {
		out = append(out, shifted...)
	}
	for _, a := range l {
		for _, b := range shifted {
			if !j.spec.Type.Outer(0) && !j.spec.Type.Outer(1) {
				out = append(out, slices.Concat(a, b))
			}
		}
	}
	return out
}
