package parser

// Bounds of a text. They are checked while parsing: whatever goes beyond is refused where it does.
const (
	// TextBytesMax is the longest text, a whole script. A longer one is refused by its length, unread.
	TextBytesMax = 1 << 20
	// TokensMax is the largest number of words, signs and literals of one statement. A tree has at most two nodes a token.
	TokensMax = 100_000
	// NestingMax is the deepest nesting of brackets, operands on the right, subqueries, joins and types together.
	NestingMax = 500
	// OperatorsMax is the longest chain of operators, set operations or joins that lean to the left: parsing a chain needs
	// no stack, but whoever reads the tree does.
	OperatorsMax = 10_000
	// IdentCharsMax is the longest identifier, as in Flink.
	IdentCharsMax = 256
	// ErrorsMax is how many statements of a script may be wrong before the rest is left alone.
	ErrorsMax = 100
	// ParamMax bounds the numbers in types and intervals: the length of a STRING.
	ParamMax = 1<<31 - 1

	// lineCharsMax is how much of a line an error shows.
	lineCharsMax = 100
	// textCharsMax is how much of a token an error repeats.
	textCharsMax = 30
	// expectedMax is how many expectations an error lists; more than that say nothing.
	expectedMax = 6
)
