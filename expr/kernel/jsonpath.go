package kernel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"millrace/expr"
	"millrace/stream"
)

var jsonBinders = map[string]binder{"JSON_VALUE": bindJSONValue, "JSON_EXISTS": bindJSONExists, "IS JSON": bindIsJSON}

// jsonPath is a path of names and positions.
type jsonPath struct {
	strict bool
	steps  []jsonStep
}

// jsonStep is the name of a member, quoted as JSON has it, or a position in an array.
type jsonStep struct {
	name  []byte
	index int
}

// compileJSONPath takes [lax|strict] $ with .name, ['name'] and [n] behind it.
func compileJSONPath(text []byte) (*jsonPath, error) {
	p := bytes.TrimSpace(text)
	path := &jsonPath{}
	if rest, ok := bytes.CutPrefix(p, []byte("strict ")); ok {
		path.strict, p = true, bytes.TrimSpace(rest)
	} else if rest, ok := bytes.CutPrefix(p, []byte("lax ")); ok {
		p = bytes.TrimSpace(rest)
	}
	p, ok := bytes.CutPrefix(p, []byte("$"))
	if !ok {
		return nil, fmt.Errorf("JSON path %q: it begins with $", text)
	}
	for len(p) > 0 {
		n, err := path.step(p)
		if err != nil {
			return nil, fmt.Errorf("JSON path %q: %w", text, err)
		}
		p = p[n:]
	}
	return path, nil
}

var (
	errJSONStep  = errors.New("steps are .name, ['name'] and [n]; wildcards and filters are not supported")
	errJSONQuote = errors.New("a name in brackets stands in quotes, and ends with them and ]")
)

// step takes one step and returns its length.
func (j *jsonPath) step(p []byte) (int, error) {
	switch {
	case p[0] == '.':
		n := 1
		for n < len(p) && p[n] != '.' && p[n] != '[' {
			if !isLetter(p[n]) && !digit(p[n]) && p[n] != '_' && p[n] != '-' && p[n] != '$' && p[n] < 0x80 {
				return 0, errJSONStep
			}
			n++
		}
		if n == 1 {
			return 0, errJSONStep
		}
		j.steps = append(j.steps, jsonStep{name: p[1:n]})
		return n, nil
	case p[0] == '[' && len(p) > 1 && (p[1] == '\'' || p[1] == '"'):
		end := bytes.Index(p[2:], []byte{p[1], ']'})
		if end < 0 {
			return 0, errJSONQuote
		}
		j.steps = append(j.steps, jsonStep{name: p[2 : 2+end]})
		return end + 4, nil
	case p[0] == '[':
		end := bytes.IndexByte(p, ']')
		if end < 0 {
			return 0, errJSONStep
		}
		index, err := strconv.Atoi(string(p[1:end]))
		if err != nil || index < 0 {
			return 0, errJSONStep
		}
		j.steps = append(j.steps, jsonStep{index: index})
		return end + 1, nil
	default:
		return 0, errJSONStep
	}
}

// find calls found for every value at the path in JSON that is whole. Without
// strict, a name looks into the elements of an array, and [0] of what is no
// array is that itself.
func (j *jsonPath) find(p []byte, steps []jsonStep, found func(value []byte)) {
	p = bytes.TrimLeft(p, " \t\r\n")
	if len(steps) == 0 {
		found(p)
		return
	}
	step := &steps[0]
	switch {
	case step.name != nil && p[0] == '{':
		eachMember(p, func(name, value []byte) {
			if equalsJSON(name, step.name) {
				j.find(value, steps[1:], found)
			}
		})
	case step.name != nil && p[0] == '[' && !j.strict:
		eachElement(p, func(_ int, value []byte) {
			if value[0] == '{' {
				j.find(value, steps, found)
			}
		})
	case step.name == nil && p[0] == '[':
		eachElement(p, func(i int, value []byte) {
			if i == step.index {
				j.find(value, steps[1:], found)
			}
		})
	case step.name == nil && step.index == 0 && !j.strict:
		j.find(p, steps[1:], found)
	}
}

// equalsJSON tells whether a string in JSON, with its quotes, is a name.
func equalsJSON(quoted, name []byte) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return bytes.Equal(quoted[1:len(quoted)-1], name)
	}
	var s string
	return json.Unmarshal(quoted, &s) == nil && s == string(name)
}

// eachMember calls member for the members of the object at the beginning of p.
func eachMember(p []byte, member func(name, value []byte)) {
	at := skipSpace(p, 1)
	for p[at] != '}' {
		end, _ := skipJSON(p, at, 0)
		name := p[at:end]
		at = skipSpace(p, skipSpace(p, end)+1)
		end, _ = skipJSON(p, at, 0)
		member(name, p[at:end])
		if at = skipSpace(p, end); p[at] == ',' {
			at = skipSpace(p, at+1)
		}
	}
}

// eachElement calls element for the elements of the array at the beginning of p.
func eachElement(p []byte, element func(i int, value []byte)) {
	at := skipSpace(p, 1)
	for i := 0; p[at] != ']'; i++ {
		end, _ := skipJSON(p, at, 0)
		element(i, p[at:end])
		if at = skipSpace(p, end); p[at] == ',' {
			at = skipSpace(p, at+1)
		}
	}
}

func skipSpace(p []byte, at int) int {
	for at < len(p) && (p[at] == ' ' || p[at] == '\t' || p[at] == '\n' || p[at] == '\r') {
		at++
	}
	return at
}

// isJSON tells whether p is one value of JSON.
func isJSON(p []byte) bool {
	end, ok := skipJSON(p, skipSpace(p, 0), 0)
	return ok && skipSpace(p, end) == len(p)
}

// skipJSON returns the end of the value at a position, false if there is none.
func skipJSON(p []byte, at, depth int) (int, bool) {
	if at >= len(p) || depth > jsonDepthMax {
		return at, false
	}
	switch c := p[at]; {
	case c == '{':
		return skipAll(p, at, depth, '}', true)
	case c == '[':
		return skipAll(p, at, depth, ']', false)
	case c == '"':
		return skipString(p, at)
	case c == '-' || digit(c):
		return skipNumber(p, at)
	}
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(p[at:], []byte(word)) {
			return at + len(word), true
		}
	}
	return at, false
}

// skipAll skips an object or array.
func skipAll(p []byte, at, depth int, end byte, named bool) (int, bool) {
	at = skipSpace(p, at+1)
	if at < len(p) && p[at] == end {
		return at + 1, true
	}
	for {
		var ok bool
		if named {
			if at >= len(p) || p[at] != '"' {
				return at, false
			}
			if at, ok = skipString(p, at); !ok {
				return at, false
			}
			if at = skipSpace(p, at); at >= len(p) || p[at] != ':' {
				return at, false
			}
			at = skipSpace(p, at+1)
		}
		if at, ok = skipJSON(p, at, depth+1); !ok {
			return at, false
		}
		at = skipSpace(p, at)
		switch {
		case at >= len(p) || p[at] != ',' && p[at] != end:
			return at, false
		case p[at] == end:
			return at + 1, true
		}
		at = skipSpace(p, at+1)
	}
}

func skipString(p []byte, at int) (int, bool) {
	for at++; at < len(p); at++ {
		switch c := p[at]; {
		case c == '"':
			return at + 1, true
		case c < ' ':
			return at, false
		case c == '\\':
			at++
			if at >= len(p) || bytes.IndexByte([]byte(`"\/bfnrtu`), p[at]) < 0 {
				return at, false
			}
			if p[at] != 'u' {
				continue
			}
			for range 4 {
				if at++; at >= len(p) || !digit(p[at]) && p[at]|0x20-'a' > 5 {
					return at, false
				}
			}
		}
	}
	return at, false
}

// skipNumber skips -?(0|[1-9]d*)(.d+)?([eE][+-]?d+)?.
func skipNumber(p []byte, at int) (int, bool) {
	digits := func() bool {
		from := at
		for at < len(p) && digit(p[at]) {
			at++
		}
		return at > from
	}
	if p[at] == '-' {
		at++
	}
	switch {
	case at < len(p) && p[at] == '0':
		at++
	case !digits():
		return at, false
	}
	if at < len(p) && p[at] == '.' {
		if at++; !digits() {
			return at, false
		}
	}
	if at < len(p) && p[at]|0x20 == 'e' {
		if at++; at < len(p) && (p[at] == '+' || p[at] == '-') {
			at++
		}
		return at, digits()
	}
	return at, true
}

// constantPath compiles the path, which the signature wants constant.
func constantPath(e *expr.Call) (*jsonPath, error) {
	text, _ := constantText(e, 1)
	return compileJSONPath(text)
}

// bindJSONValue binds JSON_VALUE: NULL where the text is no JSON, or where not
// exactly one scalar stands at the path.
func bindJSONValue(e *expr.Call, args []node) (node, error) {
	path, err := constantPath(e)
	if err != nil {
		return nil, err
	}
	return bindText(func(k *call) func(i int) error {
		text := bytesOperand(&k.args[0])
		return func(i int) error {
			var value []byte
			n := 0
			if p := text.at(i); isJSON(p) {
				path.find(p, path.steps, func(v []byte) { value, n = v, n+1 })
			}
			if n != 1 || !k.appendScalar(value) {
				k.builder.AppendNull()
			}
			return nil
		}
	})(e, args[:1])
}

// appendScalar appends a scalar of JSON as text, false if it is none or null.
func (k *call) appendScalar(value []byte) bool {
	end, _ := skipJSON(value, 0, 0)
	value = value[:end]
	switch value[0] {
	case '{', '[', 'n':
		return false
	case '"':
		if bytes.IndexByte(value, '\\') >= 0 {
			var s string
			if json.Unmarshal(value, &s) != nil {
				return false
			}
			k.builder.AppendString(s)
			return true
		}
		value = value[1 : len(value)-1]
	}
	k.builder.AppendBytes(value)
	return true
}

// bindJSONExists binds JSON_EXISTS: FALSE where the text is no JSON.
func bindJSONExists(e *expr.Call, args []node) (node, error) {
	path, err := constantPath(e)
	if err != nil {
		return nil, err
	}
	return testText(e, args[:1], func(p []byte) bool {
		found := false
		if isJSON(p) {
			path.find(p, path.steps, func([]byte) { found = true })
		}
		return found
	}), nil
}

func bindIsJSON(e *expr.Call, args []node) (node, error) { return testText(e, args, isJSON), nil }

// testText makes the node of a test of one text.
func testText(e *expr.Call, args []node, test func(p []byte) bool) node {
	return careful(e, args, func(k *call, out *stream.Vector) error {
		text, bits := bytesOperand(&k.args[0]), out.Bits()
		for i := range k.n {
			if k.alive(i) {
				bits.Put(i, test(text.at(i)))
			}
		}
		return nil
	})
}
