package parser

import (
	"slices"
	"strings"

	"millrace/failure"
	"millrace/options"
	"millrace/sql/ast"
)

// clauseWords are reserved words that begin or continue a clause: where one is not expected, nobody meant a name.
var clauseWords = words(`SELECT FROM WHERE GROUP BY HAVING WINDOW QUALIFY ORDER LIMIT OFFSET FETCH UNION INTERSECT EXCEPT MINUS
	JOIN INNER LEFT RIGHT FULL CROSS NATURAL ON USING AS AND OR NOT IN IS LIKE BETWEEN CASE WHEN THEN ELSE CAST WITH VALUES INSERT
	INTO CREATE DROP ALTER TABLE SET EXISTS DISTINCT OVER PARTITION LATERAL UNNEST EXPLAIN SHOW DESCRIBE EXECUTE BEGIN`)

func words(list string) map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		set[w] = true
	}
	return set
}

// unexpected fails at the current token: what was expected is what was asked for in vain.
func (p *parser) unexpected() {
	if p.err != nil {
		return
	}
	if p.misspelt() {
		return
	}
	p.failWith(p.tok.Start, failure.Message{
		Primary: "unexpected " + p.tok.describe(p.lex.text), Detail: p.expectation(), Hint: p.guess(),
	})
}

// misspelt blames the word before the current token, if that was taken for an alias and is but a slip away from a keyword.
func (p *parser) misspelt() bool {
	if p.alias.kind != wordToken || p.alias.End != p.last || p.tok.Start == p.alias.Start {
		return false
	}
	word := suggest(p.alias.what, p.alias.expected, p.alias.operand)
	if word == "" {
		return false
	}
	p.fail(p.alias.Start, "unexpected "+p.alias.text, didYouMean(word))
	return true
}

func didYouMean(word string) string { return "did you mean " + word + "?" }

// expectation lists what could stand here, or nothing where that is too much.
func (p *parser) expectation() string {
	list := slices.Compact(slices.Sorted(slices.Values(p.expected)))
	if p.operand {
		list = append(list, "an operator")
	}
	list = slices.DeleteFunc(list, func(what string) bool { return what == "." || what == "[" }) // behind any name
	if len(list) == 0 || len(list) > expectedMax {
		return ""
	}
	for i, what := range list {
		if what[0] < 'A' {
			list[i] = `"` + what + `"`
		}
	}
	if last := len(list) - 1; last > 0 {
		return "expected " + strings.Join(list[:last], ", ") + " or " + list[last]
	}
	return "expected " + list[0]
}

// guess says what may have gone wrong at the current token.
func (p *parser) guess() string {
	t := p.tok
	if t.kind == wordToken {
		if word := suggest(t.what, p.expected, p.operand); word != "" {
			return didYouMean(word)
		}
		if ast.IsReserved(t.what) && p.meantName(t.what) {
			return "the word is reserved; as a name it stands in backquotes: `" + t.text + "`"
		}
	}
	switch {
	case (t.kind == endToken || t.what == ";") && len(p.opened) > 0 && slices.Contains(p.expected, ")"):
		return "the bracket opened at " + ast.PositionOf(p.lex.text, p.opened[len(p.opened)-1]).String() + " is not closed"
	case t.startsOperand() && slices.Contains(p.expected, ","):
		return "is a comma missing?"
	case (clauseWords[t.what] || t.what == ")") && p.behindComma():
		return "is there a comma too many?"
	case t.what == ")" && len(p.opened) == 0:
		return "no bracket is open"
	case p.finished && p.production() != nil:
		return "is a semicolon missing?"
	case t.what == ":" && p.follows(":"):
		return "write CAST(x AS type)"
	}
	return ""
}

// meantName tells whether a reserved word may have been meant for a name: where one is expected, and not where the word
// begins or continues a clause, unless nothing but a column can stand here.
func (p *parser) meantName(word string) bool {
	name, column := p.operand, false
	for _, what := range p.expected {
		name = name || what[0] >= 'a'
		column = column || what == "a column" || what == "a field" || what == "a name"
	}
	return column || name && !clauseWords[word]
}

// behindComma tells whether a comma stands before the current token.
func (p *parser) behindComma() bool {
	return p.last > 0 && p.last <= len(p.lex.text) && p.lex.text[p.last-1] == ','
}

// suggest returns the word of those expected that is closest to the one found, or nothing if none is close. Operators are
// among the expected where one could stand.
func suggest(found string, expected []string, operator bool) string {
	if operator {
		expected = append(slices.Clone(expected), operatorWords...)
	}
	if typeNames[found] != "" || functionWords[found] || clauseWords[found] {
		return "" // no slip, but the wrong place
	}
	best, least := "", distanceMax(found)+1
	for _, word := range expected {
		if word[0] < 'A' || word[0] > 'Z' || len(found) > len(word)+2 {
			continue // no keyword, or too far away to be worth counting
		}
		if d := options.Distance(found, word); d > 0 && d < least {
			best, least = word, d
		}
	}
	return best
}

// distanceMax is how many slips a word may have: none in a short one, where anything is close to anything.
func distanceMax(word string) int {
	switch n := len(word); {
	case n < 3:
		return 0
	case n < 6:
		return 1
	default:
		return 2
	}
}
