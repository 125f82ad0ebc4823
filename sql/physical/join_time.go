package physical

import (
	"slices"
	"time"

	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// timedJoin joins rows that only come, and keeps them until the watermark says that nothing can meet them any more.
type timedJoin struct {
	name string
	kind jobgraph.JoinType
	keys jobgraph.JoinKeys
	spec jobgraph.OperatorBody
}

func (j *timedJoin) title() string                    { return j.name }
func (*timedJoin) asks(*step, int) bool               { return true }
func (*timedJoin) keeps(*step) bool                   { return false }
func (j *timedJoin) body(*step) jobgraph.OperatorBody { return j.spec }

func (j *timedJoin) spread(_ *step, input int) spread { return by(j.keys.Of(input)) }

func (j *timedJoin) passes(_ *step, column int) (int, bool) {
	return passesLeft(j.kind, &j.keys, column)
}

// passesLeft agrees with what jobgraph knows of joins.
func passesLeft(t jobgraph.JoinType, keys *jobgraph.JoinKeys, column int) (int, bool) {
	return column, t.LeftOnly() || !t.Outer(1) && slices.Contains(keys.Left, column)
}

func joinKeys(keys []plan.JoinKey) (out jobgraph.JoinKeys) {
	for _, k := range keys {
		out.Left, out.Right = append(out.Left, k.Left), append(out.Right, k.Right)
		out.NullsMeet = append(out.NullsMeet, k.NullEquals)
	}
	return out
}

// timed returns a join that time bounds, nil where it is one like others: of updates nothing is final, and semi and anti joins by
// interval have no operator.
func (p *planner) timed(n *plan.Join, left, right *step) *step {
	if !left.appends() || !right.appends() || closing(left) != nil || closing(right) != nil {
		return nil
	}
	j := &timedJoin{kind: joinTypes[n.Kind], keys: joinKeys(n.Keys)}
	condition := p.joinCondition(n.Condition, left, right)
	switch {
	case n.Window != nil:
		j.name = "WindowJoin"
		j.spec = &jobgraph.WindowJoinSpec{Type: j.kind, Keys: j.keys, LeftEnd: n.Window.LeftEnd, RightEnd: n.Window.RightEnd, Condition: condition}
	case n.Interval != nil && !j.kind.LeftOnly() && n.Left.Schema()[n.Interval.LeftTime].Time == plan.EventTime:
		i := n.Interval
		j.name = "IntervalJoin"
		j.spec = &jobgraph.IntervalJoinSpec{
			Type: j.kind, Keys: j.keys, LeftTime: i.LeftTime, RightTime: i.RightTime, Condition: condition,
			Lower: -time.Duration(i.Upper) * time.Millisecond, Upper: -time.Duration(i.Lower) * time.Millisecond,
		}
	default:
		return nil
	}
	return p.add(&step{operator: j, of: n, inputs: []*step{left, right}, paired: true})
}

func (p *planner) joinCondition(e expr.Expr, left, right *step) expr.Expr {
	if e == nil {
		return nil
	}
	return p.retyped(e, jobgraph.CandidateSchema(left.out, right.out))
}

// unbounded returns a join with what bounds it in time as keys and a condition like others.
func (p *planner) unbounded(n *plan.Join, left, right *step) *plan.Join {
	c := *n
	if w := n.Window; w != nil {
		c.Window = nil
		c.Keys = append(slices.Clone(n.Keys), plan.JoinKey{Left: w.LeftStart, Right: w.RightStart}, plan.JoinKey{Left: w.LeftEnd, Right: w.RightEnd})
	}
	if i := n.Interval; i != nil {
		c.Interval = nil
		both := jobgraph.CandidateSchema(left.out, right.out)
		l, r := i.LeftTime, left.out.Len()+i.RightTime
		parts := append(plan.Conjuncts(n.Condition), p.apart(both, l, ">=", r, i.Lower), p.apart(both, l, "<=", r, i.Upper))
		all, err := expr.NewCall(p.Functions, "AND", parts...)
		if err != nil {
			p.fail(failure.Internalf("the bounds of %s: %w", plan.Line(n), err))
			return n
		}
		c.Condition = all
	}
	return &c
}

// apart compares a time with another that is moved by milliseconds.
func (p *planner) apart(both *types.Schema, left int, op string, right int, by int64) expr.Expr {
	column := func(i int) expr.Expr {
		return &expr.Column{Index: i, Name: both.Fields[i].Name, T: both.Fields[i].Type}
	}
	distance := &expr.Literal{T: types.Of(types.IntervalDayTime).NotNull(), Value: by}
	moved, err := expr.NewCall(p.Functions, "+", column(right), distance)
	if err == nil {
		var out *expr.Call
		if out, err = expr.NewCall(p.Functions, op, column(left), moved); err == nil {
			return out
		}
	}
	p.fail(failure.Internalf("the bounds of a join: %w", err))
	return expr.Bool(true)
}

// temporalJoin joins left rows with the version of the right ones that was valid at their time.
type temporalJoin struct {
	spec jobgraph.TemporalJoinSpec
}

func (*temporalJoin) title() string { return "TemporalJoin" }

// asks for the -U of left rows, each of which meets a version of its own. Those of versions count for nothing.
func (*temporalJoin) asks(_ *step, input int) bool { return input == 0 }

func (*temporalJoin) keeps(s *step) bool { return s.inputs[0].gives }

func (j *temporalJoin) spread(_ *step, input int) spread { return by(j.spec.Keys.Of(input)) }

func (j *temporalJoin) passes(_ *step, column int) (int, bool) {
	return passesLeft(j.spec.Type, &j.spec.Keys, column)
}

func (j *temporalJoin) body(*step) jobgraph.OperatorBody {
	spec := j.spec
	return &spec
}

// needVersions has what stands before a join as of a time give each change of a key: two of one batch are versions of different times.
func (s *step) needVersions() {
	s.versions = true
	for _, in := range s.inputs {
		in.needVersions()
	}
}

func (p *planner) temporalJoin(n *plan.TemporalJoin) *step {
	if l := p.looked(n); l != nil {
		return p.lookupJoin(n, l)
	}
	left, right := p.step(n.Left), p.step(n.Right)
	p.heed(n.Hints, stateTTLHint)
	j := &temporalJoin{spec: jobgraph.TemporalJoinSpec{Type: joinTypes[n.Kind], Keys: joinKeys(n.Keys), Condition: p.joinCondition(n.Condition, left, right)}}
	if len(n.Keys) == 0 {
		p.refuse("join by the right side's primary key: ON a = b", "a table as of a time is joined without an equality: %s", plan.Line(n))
		return nil
	}
	if !left.appends() {
		j.spec.Left = jobgraph.RetractChangelog
	}
	j.spec.ProcessingTime = n.Left.Schema()[n.Time].Time == plan.ProcessingTime
	if !j.spec.ProcessingTime {
		if !p.inTime(n, left) || !p.inTime(n, right) {
			return nil
		}
		versions := slices.IndexFunc(n.Right.Schema(), func(c plan.Column) bool { return c.Time == plan.EventTime })
		if versions < 0 {
			p.refuse("declare a WATERMARK for the column that has the time of its versions", "the right side of a join as of an event time has none: %s", plan.Line(n.Right))
			return nil
		}
		j.spec.LeftTime, j.spec.RightTime = n.Time, versions
		right.needVersions()
	}
	s := &step{operator: j, of: n, inputs: []*step{left, right}, paired: true, changes: left.changes}
	s.upsert = left.told(j.spec.Keys.Left)
	return p.add(s)
}
