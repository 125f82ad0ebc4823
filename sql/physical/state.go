package physical

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"millrace/jobgraph"
	"millrace/sql/plan"
	"millrace/types"
)

// textBytes is what a text or binary value is taken to have, where nobody has looked.
const textBytes = 32

// bytesOf estimates a row of state.
func bytesOf(fields []types.Field) (n int) {
	for _, f := range fields {
		switch f.Type.Layout() {
		case types.LayoutBit, types.LayoutInt8:
			n++
		case types.LayoutInt16:
			n += 2
		case types.LayoutInt32, types.LayoutFloat32:
			n += 4
		case types.LayoutInt128:
			n += 16
		case types.LayoutBytes:
			n += textBytes
		case types.LayoutList, types.LayoutStruct:
			n += 2 * textBytes
		default:
			n += 8
		}
	}
	return n
}

func fieldsOf(in *types.Schema, columns []int) (out []types.Field) {
	for _, c := range columns {
		out = append(out, in.Fields[c])
	}
	return out
}

// keeps is what a step keeps: so many bytes for each of something, for how long.
type kept struct {
	what  string
	bytes int
	ttl   time.Duration
	ends  bool // the watermark clears it
	lasts bool // no time to live applies to it
}

// state tells what a step keeps, nothing for those that keep nothing worth telling.
func (s *step) state() []kept {
	switch o := s.operator.(type) {
	case *groupAggregate:
		return o.state(s)
	case *windowAggregate:
		return append([]kept{{what: "key and window", bytes: bytesOf(s.out.Fields), ends: true}}, o.values(s)...)
	case *rank:
		return o.state(s)
	case *deduplicate:
		return []kept{{what: "key", bytes: bytesOf(s.out.Fields), ttl: o.spec.TTL, ends: o.spec.WindowEnd != jobgraph.NoColumn}}
	case *normalize:
		return []kept{{what: "key", bytes: bytesOf(s.out.Fields), ttl: o.ttl}}
	case *materialize:
		return []kept{{what: "row", bytes: bytesOf(s.out.Fields), ttl: o.ttl}}
	case *join:
		return []kept{
			{what: "left row", bytes: bytesOf(s.inputs[0].out.Fields), ttl: o.spec.Left.TTL},
			{what: "right row", bytes: bytesOf(s.inputs[1].out.Fields), ttl: o.spec.Right.TTL},
		}
	case *over:
		return o.state(s)
	case *timedJoin:
		return []kept{
			{what: "left row", bytes: bytesOf(s.inputs[0].out.Fields), ends: true}, {what: "right row", bytes: bytesOf(s.inputs[1].out.Fields), ends: true},
		}
	case *sorter:
		return []kept{{what: "row", bytes: bytesOf(s.out.Fields), ends: true}}
	default:
		return nil
	}
}

// state has the values of DISTINCT calls only where a frame begins with the first row: the rows of others are kept anyway.
func (o *over) state(s *step) []kept {
	in := s.inputs[0].out
	rows := kept{what: "row of the frame", bytes: bytesOf(in.Fields)}
	switch f := o.spec.Frame; {
	case o.sorted():
		rows.what, rows.lasts = "row", true
	case f.Bounded:
		rows.lasts, rows.ends = !f.Range, f.Range
	default:
		out := []kept{{what: "key", bytes: bytesOf(s.out.Fields), lasts: true}}
		for _, args := range distinctOf(o.spec.Aggregates) {
			of := append(fieldsOf(in, o.spec.Keys), fieldsOf(in, args)...)
			out = append(out, kept{what: "key and value of " + namesOf(in, args), bytes: bytesOf(of), lasts: true})
		}
		return out
	}
	return []kept{rows}
}

// values are what DISTINCT calls keep of a window: in which windows a value is, each once.
func (w *windowAggregate) values(s *step) (out []kept) {
	in := s.inputs[0].out
	for _, args := range distinctOf(w.spec.Aggregates) {
		window := s.out.Fields[len(w.spec.Keys)] // its start or its end, or what else names it
		of := append(append(fieldsOf(in, w.spec.Keys), window), fieldsOf(in, args)...)
		out = append(out, kept{what: "key, window and value of " + namesOf(in, args), bytes: bytesOf(of), ends: true})
	}
	return out
}

// distinctOf returns the columns whose values calls have once each, those of a value together.
func distinctOf(calls []jobgraph.AggregateCall) (columns [][]int) {
	for i := range calls {
		of := calls[i].Columns()
		if calls[i].NeedsDistinct() && !slices.ContainsFunc(columns, func(o []int) bool { return slices.Equal(o, of) }) {
			columns = append(columns, of)
		}
	}
	return columns
}

// namesOf shows columns to people.
func namesOf(in *types.Schema, columns []int) string {
	names := make([]string, len(columns))
	for i, f := range fieldsOf(in, columns) {
		names[i] = f.Name
	}
	return strings.Join(names, ", ")
}

func (g *groupAggregate) state(s *step) []kept {
	if len(g.keys) == 0 {
		return nil
	}
	out := []kept{{what: "key", bytes: bytesOf(s.out.Fields), ttl: g.ttl}}
	in := s.inputs[0].out
	if g.raw != nil {
		in = g.raw
	}
	for _, a := range g.calls {
		if g.retract && jobgraph.GoesByOrder(a.Func) {
			out = append(out, kept{what: "value of " + in.Fields[a.Arg].Name, bytes: bytesOf(fieldsOf(in, []int{a.Arg})), ttl: g.ttl})
		}
		ends := a.Func == "MIN" || a.Func == "MAX" || a.Func == "FIRST_VALUE" || a.Func == "LAST_VALUE"
		if a.Arg != jobgraph.CountStar && (a.Distinct && !ends || g.retract && (a.Func == "MIN" || a.Func == "MAX")) {
			values := append(fieldsOf(in, g.keys), fieldsOf(in, a.Columns())...)
			out = append(out, kept{what: "key and value of " + namesOf(in, a.Columns()), bytes: bytesOf(values), ttl: g.ttl})
		}
	}
	return out
}

func (r *rank) state(s *step) []kept {
	k := kept{what: "row", bytes: bytesOf(s.inputs[0].out.Fields), ttl: r.spec.TTL, ends: r.spec.WindowEnd != jobgraph.NoColumn}
	if r.spec.Strategy != jobgraph.Retract && r.spec.ToColumn == jobgraph.NoColumn {
		if len(r.spec.Keys) == 0 {
			return nil
		}
		k.what = fmt.Sprintf("partition, %d rows each", r.spec.To)
		k.bytes *= int(min(r.spec.To, 1<<20))
	}
	return []kept{k}
}

// text is one line of an estimate.
func (k kept) text() string {
	out := fmt.Sprintf("about %d bytes for each %s", k.bytes, k.what)
	switch {
	case k.ends:
		return out + ", until the watermark has passed"
	case k.ttl > 0:
		return out + ", for " + k.ttl.String()
	default:
		return out + ", for ever"
	}
}

// warnings are what nothing ever clears. What is bounded ends, and its state with it.
func (p *planner) warnings(steps []*step) (out []string) {
	if p.settings.batch || !slices.ContainsFunc(steps, endless) {
		return nil
	}
	for _, s := range steps {
		for _, k := range s.state() {
			switch {
			case k.ends || k.ttl > 0:
			case k.lasts:
				out = append(out, fmt.Sprintf("%s keeps %s", describe(s), k.text()))
			default:
				out = append(out, fmt.Sprintf("%s keeps %s: set %s, if rows need not be remembered for ever", describe(s), k.text(), stateTTL))
			}
		}
	}
	return out
}

// endless tells whether a step reads what has no end.
func endless(s *step) bool {
	src, ok := s.operator.(*source)
	return ok && !src.bounded
}

// describedMax is how much of an operation a warning repeats.
const describedMax = 80

// describe shows a step to people.
func describe(s *step) string {
	line := []rune(plan.Line(s.of))
	if len(line) > describedMax {
		line = append(line[:describedMax], '…')
	}
	return s.title() + " of " + string(line)
}
