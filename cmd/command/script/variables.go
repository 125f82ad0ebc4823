package script

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"millrace/failure"
	"millrace/options"
	"millrace/sql/ast"
)

// Variables returns the names that a text asks for as ${NAME}, in order, each once.
func Variables(text string) []string {
	found := make(map[string]bool)
	each(text, func(_ int, name string) { found[name] = true })
	return slices.Sorted(maps.Keys(found))
}

// OnlyVariable tells whether a name can be nothing but that of a variable: options have no capitals.
func OnlyVariable(name string) bool {
	return isName(name) && strings.ToUpper(name) == name && strings.ToLower(name) != name && !strings.ContainsAny(name, ".-")
}

// Substitute returns the text with the values of its variables. Every ${NAME} needs one: the error, which is the user's, has all that are
// missing with their places. Comments and text constants are no exceptions.
func Substitute(text string, values map[string]string) (string, error) {
	var out strings.Builder
	var problems failure.Problems
	from := 0
	each(text, func(at int, name string) {
		value, ok := values[name]
		if !ok {
			problems.Add(missing(text, at, name, values))
			return
		}
		out.WriteString(text[from:at])
		out.WriteString(value)
		from = at + len("${}") + len(name)
	})
	if err := problems.Err(); err != nil {
		return "", err
	}
	out.WriteString(text[from:])
	return out.String(), nil
}

func missing(text string, at int, name string, values map[string]string) failure.Message {
	m := failure.Message{
		Primary: fmt.Sprintf("the variable ${%s} has no value", name), Position: ast.PositionOf(text, at), Hint: "give it one: -D " + name + "=value",
	}
	if near, ok := options.Nearest(name, slices.Sorted(maps.Keys(values))); ok {
		m.Hint = "there is a value for " + near
	}
	return m
}

// each calls f for every ${NAME} with where it begins.
func each(text string, f func(at int, name string)) {
	for at, n := 0, 0; n < variablesMax; n++ {
		i := strings.Index(text[at:], "${")
		if i < 0 {
			return
		}
		at += i
		end := strings.IndexByte(text[at:], '}')
		if end < 0 {
			return
		}
		if name := text[at+len("${") : at+end]; isName(name) {
			f(at, name)
		}
		at += len("${")
	}
}

func isName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r != '_' && r != '.' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
