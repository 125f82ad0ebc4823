package ast

// Precedence says how strongly an operator binds; the stronger, the larger. The order is Calcite's.
type Precedence uint8

// The levels, from the weakest. All binary operators associate to the left.
const (
	LowestPrecedence Precedence = iota
	OrPrecedence
	AndPrecedence
	NotPrecedence
	IsPrecedence      // IS NULL, IS TRUE, IS DISTINCT FROM, ...
	ComparePrecedence // = <> < <= > >=, with ANY and ALL, OVERLAPS
	RangePrecedence   // BETWEEN, IN, LIKE, SIMILAR TO
	SumPrecedence     // + -
	ProductPrecedence // * / % ||
	SignPrecedence    // + - before an operand
	PrimaryPrecedence // what needs no brackets anywhere
)

// UnaryOp is an operator before an operand, as it is printed.
type UnaryOp string

// The unary operators.
const (
	Not   UnaryOp = "NOT"
	Minus UnaryOp = "-"
	Plus  UnaryOp = "+"
)

// Precedence returns how strongly the operator binds.
func (op UnaryOp) Precedence() Precedence {
	if op == Not {
		return NotPrecedence
	}
	return SignPrecedence
}

// BinaryOp is an operator between two operands, as it is printed.
type BinaryOp string

// The binary operators.
const (
	Or              BinaryOp = "OR"
	And             BinaryOp = "AND"
	DistinctFrom    BinaryOp = "IS DISTINCT FROM"
	NotDistinctFrom BinaryOp = "IS NOT DISTINCT FROM"
	Equals          BinaryOp = "="
	NotEquals       BinaryOp = "<>"
	Less            BinaryOp = "<"
	LessOrEqual     BinaryOp = "<="
	Greater         BinaryOp = ">"
	GreaterOrEqual  BinaryOp = ">="
	Overlaps        BinaryOp = "OVERLAPS"
	Add             BinaryOp = "+"
	Subtract        BinaryOp = "-"
	Multiply        BinaryOp = "*"
	Divide          BinaryOp = "/"
	Remainder       BinaryOp = "%"
	Concat          BinaryOp = "||"
)

// Precedence returns how strongly the operator binds.
func (op BinaryOp) Precedence() Precedence {
	switch op {
	case Or:
		return OrPrecedence
	case And:
		return AndPrecedence
	case DistinctFrom, NotDistinctFrom:
		return IsPrecedence
	case Add, Subtract:
		return SumPrecedence
	case Multiply, Divide, Remainder, Concat:
		return ProductPrecedence
	default:
		return ComparePrecedence
	}
}

// precedence returns how strongly the root of an expression binds its parts.
func precedence(e Expr) Precedence {
	switch e := e.(type) {
	case *Unary:
		return e.Op.Precedence()
	case *Binary:
		return e.Op.Precedence()
	case *Is:
		return IsPrecedence
	case *Quantified:
		return ComparePrecedence
	case *Between, *In, *Like:
		return RangePrecedence
	default:
		return PrimaryPrecedence
	}
}
