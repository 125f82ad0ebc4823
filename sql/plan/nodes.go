package plan

import "strconv"

// unique returns the name, with the first number that makes it one of its own, and takes it.
func unique(name string, taken map[string]bool) string {
	out := name
	for i := 0; taken[out]; i++ {
		out = name + strconv.Itoa(i)
	}
	taken[out] = true
	return out
}

// Counted returns 0, 1, ... n-1: all columns of a schema, as they are.
func Counted(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Walk calls visit once for every node of the plan, inputs before those that read them.
func Walk(root Node, visit func(Node)) {
	seen := make(map[Node]bool)
	var walk func(Node)
	walk = func(n Node) {
		if seen[n] {
			return
		}
		seen[n] = true
		for _, in := range n.Inputs() {
			walk(in)
		}
		visit(n)
	}
	walk(root)
}

// Schema implements Node.
func (n *Scan) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Values) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Project) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Filter) Schema() Schema { return n.Input.Schema() }

// Schema implements Node.
func (n *Watermark) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Aggregate) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *WindowTable) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Join) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *TemporalJoin) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Correlate) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Over) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Set) Schema() Schema { return n.Result }

// Schema implements Node.
func (n *Sort) Schema() Schema { return n.Input.Schema() }

// Schema implements Node.
func (n *Sink) Schema() Schema { return n.Input.Schema() }

// Schema implements Node.
func (n *Collect) Schema() Schema { return n.Input.Schema() }

// Inputs implements Node.
func (*Scan) Inputs() []Node { return nil }

// Inputs implements Node.
func (*Values) Inputs() []Node { return nil }

// Inputs implements Node.
func (n *Project) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Filter) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Watermark) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Aggregate) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *WindowTable) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Join) Inputs() []Node { return []Node{n.Left, n.Right} }

// Inputs implements Node.
func (n *TemporalJoin) Inputs() []Node { return []Node{n.Left, n.Right} }

// Inputs implements Node.
func (n *Correlate) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Over) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Set) Inputs() []Node { return n.Of }

// Inputs implements Node.
func (n *Sort) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Sink) Inputs() []Node { return []Node{n.Input} }

// Inputs implements Node.
func (n *Collect) Inputs() []Node { return []Node{n.Input} }

// With implements Node.
func (n *Scan) With(...Node) Node { return n }

// With implements Node.
func (n *Values) With(...Node) Node { return n }

// With implements Node.
func (n *Project) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Filter) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Watermark) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Aggregate) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *WindowTable) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Join) With(inputs ...Node) Node {
	c := *n
	c.Left, c.Right = inputs[0], inputs[1]
	return &c
}

// With implements Node.
func (n *TemporalJoin) With(inputs ...Node) Node {
	c := *n
	c.Left, c.Right = inputs[0], inputs[1]
	return &c
}

// With implements Node.
func (n *Correlate) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Over) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Set) With(inputs ...Node) Node {
	c := *n
	c.Of = inputs
	return &c
}

// With implements Node.
func (n *Sort) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Sink) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}

// With implements Node.
func (n *Collect) With(inputs ...Node) Node {
	c := *n
	c.Input = inputs[0]
	return &c
}
