package ast

import "strings"

// forms are the functions whose arguments stand between words. A form prints nothing and returns false where the arguments
// are not as it wants them; they are then separated by commas.
var forms = map[string]func(*printer, []Expr) bool{
	"EXTRACT": printExtract, "TRIM": printTrim, "POSITION": printPosition, "OVERLAY": printOverlay,
	"FLOOR": printTo, "CEIL": printTo, "CEILING": printTo, "JSON_OBJECT": printPairs, "JSON_OBJECTAGG": printPairs,
}

func (n *Call) print(p *printer) {
	parts := make([]string, len(n.Name.Parts))
	for i, id := range n.Name.Parts {
		parts[i] = id.function()
	}
	p.write(strings.Join(parts, "."))
	if n.Bare {
		return
	}
	p.write("(")
	p.when(n.Quantifier != "", string(n.Quantifier)+" ")
	if form := forms[n.Word()]; form == nil || !form(p, n.Args) {
		commas(p, n.Args)
	}
	listed(p, "ORDER BY", n.OrderBy)
	if n.JSON != nil {
		p.when(len(n.Args) > 0, " ")
		n.JSON.print(p)
	}
	p.write(")")
	n.printBehind(p)
}

func (n *Call) printBehind(p *printer) {
	p.when(n.Nulls != "", " "+string(n.Nulls))
	if len(n.WithinGroup) > 0 {
		p.write(" WITHIN GROUP (ORDER BY ")
		commas(p, n.WithinGroup)
		p.write(")")
	}
	if n.Filter != nil {
		p.write(" FILTER (WHERE ")
		n.Filter.print(p)
		p.write(")")
	}
	if n.Over != nil {
		p.write(" ")
		n.Over.print(p)
	}
}

func symbol(args []Expr, i int) *Symbol {
	if i >= len(args) {
		return nil
	}
	s, _ := args[i].(*Symbol)
	return s
}

func printExtract(p *printer, args []Expr) bool {
	if len(args) != 2 || symbol(args, 0) == nil {
		return false
	}
	p.words(args, "", " FROM ")
	return true
}

func printTrim(p *printer, args []Expr) bool {
	switch {
	case symbol(args, 0) == nil || len(args) > 3:
		return false
	case len(args) == 2:
		p.words(args, "", " FROM ")
	default:
		p.words(args, "", " ", " FROM ")
	}
	return true
}

// The first operand ends at the word IN, which is an operator elsewhere.
func printPosition(p *printer, args []Expr) bool {
	if len(args) != 2 && len(args) != 3 {
		return false
	}
	p.expr(args[0], SumPrecedence)
	p.words(args[1:], " IN ", " FROM ")
	return true
}

func printOverlay(p *printer, args []Expr) bool {
	if len(args) != 3 && len(args) != 4 {
		return false
	}
	p.words(args, "", " PLACING ", " FROM ", " FOR ")
	return true
}

func printTo(p *printer, args []Expr) bool {
	if len(args) != 2 || symbol(args, 1) == nil {
		return false
	}
	p.words(args, "", " TO ")
	return true
}

func printPairs(p *printer, args []Expr) bool {
	if len(args)%2 != 0 {
		return false
	}
	for i := 0; i < len(args); i += 2 {
		p.when(i > 0, ", ")
		p.words(args[i:i+2], "KEY ", " VALUE ")
	}
	return true
}

// words prints each argument behind its word.
func (p *printer) words(args []Expr, words ...string) {
	for i, a := range args {
		p.write(words[i])
		a.print(p)
	}
}

func (n *JSONClauses) print(p *printer) {
	var parts []string
	if n.Returning != nil {
		parts = append(parts, "RETURNING "+Print(n.Returning))
	}
	if n.Wrapper != "" {
		parts = append(parts, string(n.Wrapper))
	}
	if n.OnEmpty != nil {
		parts = append(parts, Print(n.OnEmpty)+" ON EMPTY")
	}
	if n.OnError != nil {
		parts = append(parts, Print(n.OnError)+" ON ERROR")
	}
	if n.OnNull != "" {
		parts = append(parts, string(n.OnNull))
	}
	p.write(strings.Join(parts, " "))
}

func (n *JSONBehavior) print(p *printer) {
	p.write(n.Word)
	if n.Value != nil {
		p.write(" ")
		n.Value.print(p)
	}
}

func (n *Over) print(p *printer) {
	p.write("OVER ")
	if n.Name != nil {
		p.write(n.Name.String())
		return
	}
	n.Spec.print(p)
}

func (n *WindowSpec) print(p *printer) {
	var parts []string
	if n.Base != nil {
		parts = append(parts, n.Base.String())
	}
	if len(n.PartitionBy) > 0 {
		parts = append(parts, "PARTITION BY "+printList(n.PartitionBy))
	}
	if len(n.OrderBy) > 0 {
		parts = append(parts, "ORDER BY "+printList(n.OrderBy))
	}
	if n.Frame != nil {
		parts = append(parts, Print(n.Frame))
	}
	p.write("(", strings.Join(parts, " "), ")")
}

func printList[N Node](list []N) string {
	var p printer
	commas(&p, list)
	return p.String()
}

func (n *Frame) print(p *printer) {
	if n.ByValue {
		p.write("RANGE ")
	} else {
		p.write("ROWS ")
	}
	if n.End == nil {
		p.bound(n.Start)
		return
	}
	p.write("BETWEEN ")
	p.bound(n.Start)
	p.write(" AND ")
	p.bound(*n.End)
}

func (p *printer) bound(b FrameBound) {
	if b.Offset != nil {
		p.expr(b.Offset, SumPrecedence)
		p.write(" ")
	}
	p.write(string(b.Kind))
}

func (n *OrderItem) print(p *printer) {
	n.X.print(p)
	p.when(n.Desc, " DESC")
	p.when(n.Nulls != "", " "+string(n.Nulls))
}
