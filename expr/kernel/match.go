package kernel

import (
	"bytes"
	"regexp"

	"millrace/expr"
	"millrace/stream"
)

var matchBinders = map[string]binder{
	"REGEXP": bindRegexp, "REGEXP_EXTRACT": bindRegexpExtract, "REGEXP_REPLACE": bindRegexpReplace,
	"LIKE": bindLike, "SIMILAR TO": bindSimilar,
}

// regexpOf gives the regular expression of a row. A constant pattern is
// compiled once, when the program is; of others the last one is kept, since
// neighbours are often alike.
type regexpOf struct {
	compile func(pattern []byte) (*regexp.Regexp, error)
	re      *regexp.Regexp
	literal []byte // stands in every match
	pattern []byte
}

// newRegexpOf compiles a constant pattern already, so that a bad one is found.
func newRegexpOf(e expr.Expr, compile func([]byte) (*regexp.Regexp, error)) (*regexpOf, error) {
	r := &regexpOf{compile: compile}
	if l, ok := e.(*expr.Literal); ok && l.Value != nil {
		_, err := r.of([]byte(l.Value.(string)))
		return r, err
	}
	return r, nil
}

func (r *regexpOf) of(pattern []byte) (*regexp.Regexp, error) {
	if r.re != nil && bytes.Equal(r.pattern, pattern) {
		return r.re, nil
	}
	re, err := r.compile(pattern)
	if err != nil {
		return nil, err
	}
	r.re, r.literal, r.pattern = re, literalOfRegexp(re), append(r.pattern[:0], pattern...)
	return re, nil
}

// possible tells whether a text may match: it has what every match has.
func (r *regexpOf) possible(text []byte) bool { return bytes.Contains(text, r.literal) }

// bindRegexp binds REGEXP: whether the pattern occurs. An empty one never does.
func bindRegexp(e *expr.Call, args []node) (node, error) {
	res, err := newRegexpOf(e.Args[1], compileRegexp)
	if err != nil {
		return nil, err
	}
	return matches(e, args, func(text, pattern []byte) (bool, error) {
		re, err := res.of(pattern)
		return err == nil && len(pattern) > 0 && res.possible(text) && re.Match(text), err
	}), nil
}

// matches makes the node of a test of text against a pattern.
func matches(e *expr.Call, args []node, match func(text, pattern []byte) (bool, error)) node {
	return careful(e, args, func(k *call, out *stream.Vector) error {
		text, pattern, bits := bytesOperand(&k.args[0]), bytesOperand(&k.args[1]), out.Bits()
		for i := range k.n {
			if !k.alive(i) {
				continue
			}
			ok, err := match(text.at(i), pattern.at(i))
			if err != nil {
				return k.fail(i, err)
			}
			bits.Put(i, ok)
		}
		return nil
	})
}

// bindRegexpExtract binds REGEXP_EXTRACT: a group of the first occurrence,
// NULL without one.
func bindRegexpExtract(e *expr.Call, args []node) (node, error) {
	res, err := newRegexpOf(e.Args[1], compileRegexp)
	if err != nil {
		return nil, err
	}
	return careful(e, args, func(k *call, _ *stream.Vector) error {
		text, pattern := bytesOperand(&k.args[0]), bytesOperand(&k.args[1])
		group := operand[int32]{values: []int32{0}}
		if len(k.args) == 3 {
			group = operandOf[int32](&k.args[2])
		}
		return k.eachText(func(i int) error {
			re, err := res.of(pattern.at(i))
			if err != nil {
				return k.fail(i, err)
			}
			p := text.at(i)
			g := int(group.at(i))
			if g < 0 || g > re.NumSubexp() || !res.possible(p) {
				k.builder.AppendNull()
				return nil
			}
			lo, hi := submatch(re, p, g)
			if lo < 0 {
				k.builder.AppendNull()
			} else {
				k.builder.AppendBytes(p[lo:hi])
			}
			return nil
		})
	}), nil
}

// submatch returns the span of a group of the first match, negative without one.
func submatch(re *regexp.Regexp, p []byte, group int) (lo, hi int) {
	if group == 0 {
		if at := re.FindIndex(p); at != nil {
			return at[0], at[1]
		}
		return -1, -1
	}
	if at := re.FindSubmatchIndex(p); at != nil {
		return at[2*group], at[2*group+1]
	}
	return -1, -1
}

// bindRegexpReplace binds REGEXP_REPLACE; the replacement is taken as it is.
func bindRegexpReplace(e *expr.Call, args []node) (node, error) {
	res, err := newRegexpOf(e.Args[1], compileRegexp)
	if err != nil {
		return nil, err
	}
	return careful(e, args, func(k *call, _ *stream.Vector) error {
		text, pattern, by := bytesOperand(&k.args[0]), bytesOperand(&k.args[1]), bytesOperand(&k.args[2])
		return k.eachText(func(i int) error {
			re, err := res.of(pattern.at(i))
			if err != nil {
				return k.fail(i, err)
			}
			p := text.at(i)
			if res.possible(p) {
				p = re.ReplaceAllLiteral(p, by.at(i))
			}
			k.builder.AppendBytes(p)
			return nil
		})
	}), nil
}

// escapable makes the node of a test whose pattern may have an escape character.
func escapable(e *expr.Call, args []node, match func(text, pattern, escape []byte) (bool, error)) node {
	if len(args) == 2 {
		return matches(e, args, func(text, pattern []byte) (bool, error) { return match(text, pattern, nil) })
	}
	return careful(e, args, func(k *call, out *stream.Vector) error {
		text, pattern, escape, bits := bytesOperand(&k.args[0]), bytesOperand(&k.args[1]), bytesOperand(&k.args[2]), out.Bits()
		for i := range k.n {
			if !k.alive(i) {
				continue
			}
			ok, err := match(text.at(i), pattern.at(i), escape.at(i))
			if err != nil {
				return k.fail(i, err)
			}
			bits.Put(i, ok)
		}
		return nil
	})
}
