package physical

import (
	"fmt"
	"slices"

	"millrace/catalog"
	"millrace/expr"
	"millrace/failure"
	"millrace/jobgraph"
	"millrace/options"
	"millrace/sql/plan"
	"millrace/types"
)

// Config is what the planner is given beside plans.
type Config struct {
	Connectors catalog.Connectors
	Functions  *expr.Registry
	// Options are those of the session, of Spec.
	Options options.Values
	// Compile finds out whether an expression over columns can be evaluated; its error is the user's. Nil asks nobody.
	Compile func(e expr.Expr, in *types.Schema) error
	// Collect is where the rows of a query go that writes to no table, a sink that takes all changes; nil: such a query is refused.
	Collect *jobgraph.SinkSpec
}

// Job is the graph of a statement or a statement set, with what is to be said of it.
type Job struct {
	Graph *jobgraph.Graph
	// Warnings are for whoever submits the job, a sentence each.
	Warnings []string
	plans    []plan.Node
	steps    []*step
}

// Plan makes the graph of the sinks of a statement or a statement set. It fails, as the user's, with all that can't be, each problem
// with the table or operator that is its cause. What it returns passes jobgraph.Validate where connectors and functions are those
// that were given.
func Plan(roots []plan.Node, c Config) (*Job, error) {
	p := &planner{
		Config: c, settings: settingsOf(c.Options), readers: make(map[plan.Node]int), steps: make(map[plan.Node]*step),
		prints: newFingerprints(), ordinals: make(map[types.OperatorUID]int),
	}
	if _, err := Zone(c.Options); err != nil {
		p.fail(err)
	}
	p.countReaders(roots)
	var ends []*step
	for _, r := range roots {
		if s := p.step(r); s != nil {
			ends = append(ends, s)
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	steps := order(ends)
	settle(steps)
	steps = bypass(steps)
	a := &assembly{planner: p, graph: p.settings.graph(), places: make(map[*step][]int), readers: make(map[*step]int), names: make(map[string]bool)}
	a.all(steps)
	if err := p.err(); err != nil {
		return nil, err
	}
	return &Job{Graph: a.graph, Warnings: append(p.notes, p.warnings(steps)...), plans: roots, steps: steps}, nil
}

type planner struct {
	Config
	settings settings
	readers  map[plan.Node]int // how many nodes read a node
	steps    map[plan.Node]*step
	prints   *fingerprints
	ordinals map[types.OperatorUID]int
	problems failure.Problems
	notes    []string // warnings of what was planned
	broken   error    // ours: a bug
}

func (p *planner) countReaders(roots []plan.Node) {
	seen := make(map[plan.Node]bool)
	for _, r := range roots {
		p.readers[r]++
		plan.Walk(r, func(n plan.Node) {
			if seen[n] {
				return
			}
			seen[n] = true
			for _, in := range n.Inputs() {
				p.readers[in]++
			}
		})
	}
}

// fail notes why there can be no graph. Planning goes on, to find what else is wrong.
func (p *planner) fail(err error) {
	if failure.ClassOf(err).Domain != failure.DomainUser {
		if p.broken == nil {
			p.broken = err
		}
		return
	}
	p.problems.AddError(err)
}

// refuse notes what a user asks that can't be.
func (p *planner) refuse(hint, format string, args ...any) {
	p.problems.Add(failure.Message{Primary: fmt.Sprintf(format, args...), Hint: hint})
}

func (p *planner) err() error {
	if p.broken != nil {
		return p.broken
	}
	return p.problems.Err()
}

// step returns the step of a node, nil where there can be none: then a problem says why.
func (p *planner) step(n plan.Node) *step {
	if s, ok := p.steps[n]; ok {
		return s
	}
	for _, in := range p.below(n) { // the depth of a plan is bounded by its size, which the optimizer bounds
		if p.step(in) == nil {
			p.steps[n] = nil
			return nil
		}
	}
	s := p.translate(n)
	p.steps[n] = s
	return s
}

// below returns the nodes whose steps a node's step reads.
func (p *planner) below(n plan.Node) []plan.Node {
	switch n := n.(type) {
	case *plan.Watermark: // a part of the source
		return nil
	case *plan.TemporalJoin:
		if p.looked(n) != nil {
			return n.Inputs()[:1]
		}
	case *plan.Project:
		if f, ok := n.Input.(*plan.Filter); ok && p.readers[f] == 1 {
			return f.Inputs()
		}
	}
	return n.Inputs()
}

func (p *planner) translate(n plan.Node) *step {
	switch n := n.(type) {
	case *plan.Scan:
		return p.source(n, nil, nil)
	case *plan.Values:
		return p.values(n)
	case *plan.Watermark:
		return p.watermark(n)
	case *plan.Project:
		return p.project(n)
	case *plan.Filter:
		return p.filter(n)
	case *plan.Set:
		return p.union(n)
	case *plan.Aggregate:
		return p.aggregate(n)
	case *plan.Over:
		return p.over(n)
	case *plan.Rank:
		return p.rank(n)
	case *plan.Deduplicate:
		return p.deduplicate(n)
	case *plan.Sort:
		return p.sort(n)
	case *plan.Join:
		return p.join(n)
	case *plan.TemporalJoin:
		return p.temporalJoin(n)
	case *plan.Correlate:
		return p.correlate(n)
	case *plan.WindowTable:
		return p.windowTable(n)
	case *plan.Sink:
		return p.sink(n)
	case *plan.Collect:
		return p.collect(n)
	default:
		p.refuse("", "there is no operator for %s", plan.Line(n))
		return nil
	}
}

// add completes a step: its schema is that of what describes it.
func (p *planner) add(s *step) *step {
	in := make([]*types.Schema, len(s.inputs))
	for i, input := range s.inputs {
		in[i] = input.out
	}
	if s.uid == "" {
		s.uid = p.uid(s)
	}
	defer func() { s.dealt = s.dealtOut() }()
	if s.out != nil {
		return s
	}
	out, err := jobgraph.OutputSchema(&jobgraph.OperatorSpec{UID: s.uid, Body: s.body(s)}, in)
	if err != nil {
		p.fail(failure.Internalf("%s: %w", plan.Line(s.of), err))
		out = s.of.Schema().Types() // what stands above finds its columns
	}
	s.out = out
	return s
}

// union merges inputs. Their rows have the names of the first and may be NULL where those of any may.
type union struct{ plain }

func (union) title() string { return "Union" }

func (union) keeps(s *step) bool {
	return slices.ContainsFunc(s.inputs, func(in *step) bool { return in.gives })
}

func (union) body(*step) jobgraph.OperatorBody { return &jobgraph.UnionSpec{} }

func (p *planner) union(n *plan.Set) *step {
	if n.Kind != plan.Union || !n.All {
		p.refuse("leave columns of type ARRAY, MAP and ROW out", "there is no operator for %s ALL of rows that can't be grouped", n.Kind)
		return nil
	}
	s := &step{operator: union{}, of: n, paired: true}
	want := p.common(n)
	names := make([]string, want.Len())
	for i, f := range want.Fields {
		names[i] = f.Name
	}
	for _, of := range n.Of {
		in := p.renamed(of, of, names)
		if !in.out.Equal(want) {
			in = p.calc(of, in, nil, widened(in.out, want))
		}
		s.inputs = append(s.inputs, in)
		s.changes |= in.changes
		s.paired = s.paired && in.paired
	}
	return p.add(s)
}

// common returns the schema to which all inputs of a union can be brought.
func (p *planner) common(n *plan.Set) *types.Schema {
	out := n.Result.Types()
	for i := range out.Fields {
		out.Fields[i].Type.Nullable = false
		for _, of := range n.Of {
			out.Fields[i].Type.Nullable = out.Fields[i].Type.Nullable || p.step(of).out.Fields[i].Type.Nullable
		}
	}
	return out
}

// widened gives columns the names and types of a schema that takes more than theirs does.
func widened(in, want *types.Schema) []jobgraph.Projection {
	out := passing(in)
	for i := range out {
		out[i].Name = want.Fields[i].Name
		if !out[i].Expr.Type().Equal(want.Fields[i].Type) {
			out[i].Expr = &expr.Cast{X: out[i].Expr, To: want.Fields[i].Type}
		}
	}
	return out
}

// Appends tells whether all that the job writes is rows that are never taken back.
func (j *Job) Appends() bool {
	return !slices.ContainsFunc(j.steps, func(s *step) bool {
		_, end := s.operator.(*sink)
		return end && !s.inputs[0].appends()
	})
}
