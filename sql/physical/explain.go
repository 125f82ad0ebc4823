package physical

import (
	"fmt"
	"strings"

	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// Details are what EXPLAIN is asked for beside plans, by Flink's names.
type Details struct {
	ChangelogMode bool // CHANGELOG_MODE: which changes each operator gives
	EstimatedCost bool // ESTIMATED_COST: what state each operator keeps
	// JSONExecutionPlan (JSON_EXECUTION_PLAN) shows what runs once more, in the JSON of Flink's plan visualizer.
	JSONExecutionPlan bool
}

// Explain shows a statement on its way: the plan as the text says it, as it was optimised, the operators with their exchanges, and
// the vertices that run.
func (j *Job) Explain(text []plan.Node, d Details) string {
	var out strings.Builder
	out.WriteString("== Abstract Syntax Tree ==\n" + plan.Explain(text...))
	out.WriteString("\n== Optimized Logical Plan ==\n" + plan.Explain(j.plans...))
	out.WriteString("\n== Optimized Physical Plan ==\n" + j.physical(d))
	out.WriteString("\n== Job Graph ==\n" + jobgraph.Explain(j.Graph))
	if d.JSONExecutionPlan {
		out.WriteString("\n== Physical Execution Plan ==\n" + j.json() + "\n")
	}
	for i, w := range j.Warnings {
		if i == 0 {
			out.WriteString("\n== Warnings ==\n")
		}
		out.WriteString(w + "\n")
	}
	return out.String()
}

// physical shows the operators as trees.
func (j *Job) physical(d Details) string {
	e := &stepExplainer{Details: d, uses: make(map[*step]int), numbers: make(map[*step]int)}
	for _, s := range j.steps {
		for _, in := range s.inputs {
			e.uses[in]++
		}
	}
	for _, s := range j.steps {
		if _, end := s.operator.(*sink); end {
			e.step(s, 0)
		}
	}
	return e.out.String()
}

type stepExplainer struct {
	Details
	out     strings.Builder
	uses    map[*step]int
	numbers map[*step]int
}

func (e *stepExplainer) line(depth int, format string, args ...any) {
	fmt.Fprintf(&e.out, "%s%s\n", strings.Repeat("  ", depth), fmt.Sprintf(format, args...))
}

func (e *stepExplainer) step(s *step, depth int) {
	if n, printed := e.numbers[s]; printed {
		e.line(depth, "#%d", n)
		return
	}
	number := ""
	if e.uses[s] > 1 {
		e.numbers[s] = len(e.numbers) + 1
		number = fmt.Sprintf("#%d = ", e.numbers[s])
	}
	mode := ""
	if e.ChangelogMode {
		mode = fmt.Sprintf(" changelogMode=[%s]", s.changelog())
	}
	e.line(depth, "%s%s(%s)%s", number, s.title(), strings.Join(s.explained(), ", "), mode)
	if e.EstimatedCost {
		for _, k := range s.state() {
			e.line(depth+1, "state: %s", k.text())
		}
	}
	for i, in := range s.inputs {
		want := s.spread(s, i)
		if in.dealt.serves(want) {
			e.step(in, depth+1)
			continue
		}
		how := "single"
		if len(want.keys) > 0 {
			how = "hash" + named(in.out, want.keys)
		}
		e.line(depth+1, "Exchange(distribution=[%s])", how)
		e.step(in, depth+2)
	}
}

// named shows columns by their names.
func named(in *types.Schema, columns []int) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = in.Fields[c].Name
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// explained says in a few words what a step does. All of it stands in the graph.
func (s *step) explained() []string {
	switch o := s.operator.(type) {
	case *source:
		return []string{o.name(), "columns=" + named(s.out, plan.Counted(s.out.Len()))}
	case *sink:
		return []string{o.name, "columns=" + named(s.inputs[0].out, plan.Counted(s.inputs[0].out.Len()))}
	case *calc:
		return o.explained()
	case *groupAggregate:
		return []string{"select=" + named(s.out, plan.Counted(s.out.Len()))}
	case *rank:
		return []string{o.spec.Strategy.String(), "partition=" + named(s.inputs[0].out, o.spec.Keys), fmt.Sprintf("ranks %d to %d", o.spec.From, o.spec.To)}
	case *deduplicate:
		return []string{"keys=" + named(s.inputs[0].out, o.spec.Keys)}
	case *join:
		return []string{o.spec.Type.String(), "on " + named(s.inputs[0].out, o.spec.Keys.Left) + " = " + named(s.inputs[1].out, o.spec.Keys.Right)}
	case *timedJoin:
		return []string{o.kind.String(), "on " + named(s.inputs[0].out, o.keys.Left) + " = " + named(s.inputs[1].out, o.keys.Right)}
	case *lookupJoin:
		keys := &o.spec.Keys
		return []string{"table=" + o.name, o.spec.Type.String(), "on " + named(s.inputs[0].out, keys.Left) + " = " + named(o.spec.Table.Schema, keys.Right)}
	case *materialize:
		return []string{"key=" + named(s.out, o.keys)}
	case *normalize:
		return []string{"key=" + named(s.out, o.keys)}
	default:
		return []string{"select=" + named(s.out, plan.Counted(s.out.Len()))}
	}
}

func (c *calc) explained() (out []string) {
	var columns []string
	for _, p := range c.columns {
		text := p.Expr.String()
		if text != p.Name {
			text += " AS " + p.Name
		}
		columns = append(columns, text)
	}
	out = append(out, "select=["+strings.Join(columns, ", ")+"]")
	if c.filter != nil {
		out = append(out, "where="+c.filter.String())
	}
	return out
}
