package plan

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/expr"
)

// Text prints an expression over the columns of a schema.
func Text(e expr.Expr, in Schema) string { return exprText(e, schemaNames(in)) }

// describeOptimized prints what the optimizer makes.
func describeOptimized(n Node) []string {
	switch n := n.(type) {
	case *Rank:
		names, to := namesOf(n.Input), strconv.FormatInt(n.To, 10)
		if n.ToColumn != NoColumn {
			to = names[n.ToColumn]
		}
		return []string{
			labelled("partition", columnList(n.Partition, names)), labelled("order", orderText(n.Order, names)),
			fmt.Sprintf("ranks %d to %s", n.From, to), when(n.Number, "with number"), windowEndText(n.WindowEnd, names),
		}
	case *Deduplicate:
		names, which := namesOf(n.Input), "first by "
		if n.KeepLast {
			which = "last by "
		}
		return []string{labelled("keys", columnList(n.Keys, names)), which + names[n.Time], windowEndText(n.WindowEnd, names)}
	default:
		return nil
	}
}

func windowEndText(end int, names []string) string {
	if end == NoColumn {
		return ""
	}
	return labelled("window", names[end])
}

func joinWindowText(n *Join, names []string) string {
	if n.Window == nil {
		return ""
	}
	return labelled("window", names[n.Window.LeftEnd]+" = "+names[len(n.Left.Schema())+n.Window.RightEnd])
}

func joinIntervalText(n *Join, names []string) string {
	i := n.Interval
	if i == nil {
		return ""
	}
	return fmt.Sprintf("interval=[%d ms <= %s - %s <= %d ms]", i.Lower, names[i.LeftTime], names[len(n.Left.Schema())+i.RightTime], i.Upper)
}

func keysText(keys []JoinKey, left, right Node) string {
	if len(keys) == 0 {
		return ""
	}
	names, at := pairNames(left, right), len(left.Schema())
	out := make([]string, len(keys))
	for i, k := range keys {
		equals := " = "
		if k.NullEquals {
			equals = " IS NOT DISTINCT FROM "
		}
		out[i] = names[k.Left] + equals + names[at+k.Right]
	}
	return "keys=[" + strings.Join(out, ", ") + "]"
}
