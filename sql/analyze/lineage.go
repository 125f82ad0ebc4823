package analyze

import (
	"millrace/expr"
	"millrace/sql/plan"
)

// windowColumnOf follows a column down to the window table function that made it: which one, and what it says of the window.
// Where a calculation or anything but a window function made the column, there is none.
func windowColumnOf(n plan.Node, column int) (*plan.WindowTable, plan.WindowProperty) {
	for {
		switch m := n.(type) {
		case *plan.WindowTable:
			if first := len(m.Input.Schema()); column >= first {
				return m, plan.WindowProperty(column - first) //nolint:gosec // one of three.
			}
			n = m.Input
		case *plan.Project:
			c, ok := m.Columns[column].(*expr.Column)
			if !ok {
				return nil, 0
			}
			n, column = m.Input, c.Index
		case *plan.Aggregate:
			if column >= len(m.Keys) || m.Sets != nil {
				return nil, 0
			}
			n, column = m.Input, m.Keys[column]
		case *plan.Join:
			if width := len(m.Left.Schema()); column >= width {
				n, column = m.Right, column-width
			} else {
				n = m.Left
			}
		case *plan.Filter:
			n = m.Input
		case *plan.Sort:
			n = m.Input
		case *plan.Over:
			if column >= len(m.Input.Schema()) {
				return nil, 0
			}
			n = m.Input
		default:
			return nil, 0
		}
	}
}

// keepWindowTimes lets window_time be a time attribute behind a grouping by the window it is of: window_start and window_end
// are keys too. Grouping by any other time gives an ordinary column.
func keepWindowTimes(agg *plan.Aggregate) {
	if agg.Sets != nil {
		return
	}
	whole := make(map[*plan.WindowTable]int) // the properties among the keys, a bit each
	for _, k := range agg.Keys {
		if w, p := windowColumnOf(agg.Input, k); w != nil {
			whole[w] |= 1 << p
		}
	}
	for i, k := range agg.Keys {
		w, p := windowColumnOf(agg.Input, k)
		if w != nil && p == plan.WindowTime && whole[w] == 7 {
			agg.Result[i].Time = agg.Input.Schema()[k].Time
		}
	}
}
