package optimize

import (
	"slices"

	"millrace/expr"
	"millrace/failure"
	"millrace/sql/plan"
)

// Config is what the optimizer is given beside plans.
type Config struct {
	Functions *expr.Registry
	// Fold evaluates an expression without columns. An expression for which it fails stays as it is: it is the job that fails,
	// if a row ever asks. Nil folds nothing.
	Fold func(expr.Expr) (*expr.Literal, error)
	// Trace is told of each change by the rule that made it; nil tells nobody.
	Trace func(rule string, before, after plan.Node)
	// ReadsFields tells whether what a scan reads can have some fields of a ROW only; nil: none can.
	ReadsFields func(*plan.Scan) bool
	// KeepScans leaves scans of one table that read different columns apart (table.optimizer.reuse-source-enabled = false), and KeepParts
	// leaves equal parts of plans apart (table.optimizer.reuse-sub-plan-enabled = false).
	KeepScans, KeepParts bool
	// Zoned tells that the session's time zone is another than UTC.
	Zoned bool
	// Buckets is into how many the values of an aggregate's DISTINCT are dealt out, each to be aggregated on its own first; 0: not at all.
	Buckets int
}

// Optimize returns equal plans for the sinks of a statement or a statement set, in their order. What the plans have in common is one
// node. It fails, as the user's, for a plan that is larger than NodesMax.
func Optimize(roots []plan.Node, c Config) ([]plan.Node, error) {
	o := &optimizer{Config: c}
	if n := o.count(roots); n > NodesMax {
		return nil, failure.Userf("the query has %d relations, more than %d: split it, or write a part of it to a table of its own", n, NodesMax)
	}
	roots = slices.Clone(roots)
	for _, s := range stages {
		roots = o.run(s, roots)
	}
	// Equal parts are found twice: what is read once must be so before it is known who reads which of its columns.
	roots = o.share(roots)
	roots = o.prune(roots)
	roots = o.run(tidy, roots)
	return o.share(o.narrowRows(roots)), nil
}

// rule turns a node into an equal one, or returns nil where it has nothing to say.
type rule struct {
	name  string
	apply func(*optimizer, plan.Node) plan.Node
}

// stages run one after the other, the rules of each together: a later one finds what the earlier ones have laid open.
var stages = [][]rule{
	{ // sets become joins and aggregates, constants fold
		foldRule, unionFlattenRule, unionDistinctRule, intersectRule, exceptRule, countedSetRule, nullAwareRule, singleValueRule,
	},
	{ // conditions move to where the rows come from
		foldRule, filterMergeRule, filterTrueRule, filterProjectRule, filterJoinRule, filterSetRule, filterAggregateRule, filterOverRule,
		filterCorrelateRule, joinConditionRule, projectMergeRule, projectTrivialRule, limitProjectRule, limitMergeRule, limitNothingRule,
	},
	{splitDistinctRule},
	{ // forms are recognised that have operators of their own
		windowAggregateRule, windowAttachedRule, rankRule, deduplicateRule, rankWindowRule, deduplicateWindowRule,
		joinWindowRule, joinIntervalRule, joinKeysRule, temporalKeysRule, filterMergeRule, projectMergeRule, projectTrivialRule,
	},
}

// tidy runs behind the pruning of columns.
var tidy = []rule{foldRule, filterProjectRule, projectMergeRule, projectTrivialRule}

type optimizer struct {
	Config
}

func (o *optimizer) count(roots []plan.Node) (n int) {
	seen := make(map[plan.Node]bool)
	for _, r := range roots {
		plan.Walk(r, func(x plan.Node) {
			if !seen[x] {
				seen[x] = true
				n++
			}
		})
	}
	return n
}

// run applies rules until none has anything to say.
func (o *optimizer) run(rules []rule, roots []plan.Node) []plan.Node {
	for range PassesMax {
		pass := &pass{optimizer: o, rules: rules, done: make(map[plan.Node]plan.Node)}
		next := make([]plan.Node, len(roots))
		for i, r := range roots {
			next[i] = pass.node(r)
		}
		if !pass.changed {
			return next
		}
		roots = next
	}
	return roots
}

// pass goes over a plan once, inputs before those that read them. A shared node is looked at once and stays shared.
type pass struct {
	*optimizer
	rules   []rule
	done    map[plan.Node]plan.Node
	changed bool
}

func (p *pass) node(n plan.Node) plan.Node {
	if out, ok := p.done[n]; ok {
		return out
	}
	out := p.apply(withInputs(n, p.node))
	p.done[n] = out
	return out
}

func (p *pass) apply(n plan.Node) plan.Node {
	for _, r := range p.rules {
		next := r.apply(p.optimizer, n)
		if next == nil {
			continue
		}
		p.changed = true
		if p.Trace != nil {
			p.Trace(r.name, n, next)
		}
		n = next
	}
	return n
}

// withInputs returns the node over what f makes of its inputs, the node itself where that changes none.
func withInputs(n plan.Node, f func(plan.Node) plan.Node) plan.Node {
	before := n.Inputs()
	after := make([]plan.Node, len(before))
	for i, in := range before {
		after[i] = f(in)
	}
	if slices.Equal(before, after) {
		return n
	}
	return n.With(after...)
}
