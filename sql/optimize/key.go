package optimize

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"millrace/expr"
	"millrace/sql/plan"
)

// exprKey is a text that is equal for equal expressions and for no others.
func exprKey(e expr.Expr) string {
	k := &keyWriter{}
	k.value(reflect.ValueOf(&e).Elem())
	return k.out.String()
}

// nodeKey is a text that is equal for nodes of equal fields over equal inputs, which are known by number.
func nodeKey(n plan.Node, number map[plan.Node]int) string {
	k := &keyWriter{number: number}
	k.value(reflect.ValueOf(&n).Elem().Elem().Elem())
	return k.out.String()
}

// keyWriter writes values with their types. It goes over all fields, lest a new one be forgotten.
type keyWriter struct {
	out    strings.Builder
	number map[plan.Node]int
}

func (k *keyWriter) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		k.reference(v)
	case reflect.Struct:
		k.out.WriteString(v.Type().String() + "{")
		for _, field := range v.Fields() {
			k.value(field)
			k.out.WriteByte(';')
		}
		k.out.WriteByte('}')
	case reflect.Slice, reflect.Array:
		fmt.Fprintf(&k.out, "%d[", v.Len())
		for i := range v.Len() {
			k.value(v.Index(i))
			k.out.WriteByte(',')
		}
		k.out.WriteByte(']')
	case reflect.Map:
		k.mapped(v)
	case reflect.String:
		fmt.Fprintf(&k.out, "%q", v.String())
	default:
		fmt.Fprintf(&k.out, "%s:%v", v.Type(), v)
	}
}

func (k *keyWriter) reference(v reflect.Value) {
	if v.IsNil() {
		k.out.WriteString("nil")
		return
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case plan.Node:
			fmt.Fprintf(&k.out, "#%d", k.number[x])
			return
		case *expr.Column: // its name is for people
			fmt.Fprintf(&k.out, "$%d:%s", x.Index, x.T)
			return
		}
	}
	if v.Kind() == reflect.Interface {
		fmt.Fprintf(&k.out, "(%s)", v.Elem().Type())
	}
	k.value(v.Elem())
}

func (k *keyWriter) mapped(v reflect.Value) {
	entries := make([]string, 0, v.Len())
	for _, key := range v.MapKeys() {
		e := &keyWriter{number: k.number}
		e.value(key)
		e.out.WriteByte('=')
		e.value(v.MapIndex(key))
		entries = append(entries, e.out.String())
	}
	slices.Sort(entries)
	k.out.WriteString("map[" + strings.Join(entries, ",") + "]")
}
