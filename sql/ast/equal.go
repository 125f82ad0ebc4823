package ast

import "reflect"

var spanType = reflect.TypeFor[Span]()

// Equal tells whether two nodes are equal, wherever they stand: spans are not compared. An empty list equals a nil one.
func Equal(a, b Node) bool {
	return same(reflect.ValueOf(a), reflect.ValueOf(b))
}

func same(a, b reflect.Value) bool {
	if !a.IsValid() || !b.IsValid() {
		return a.IsValid() == b.IsValid()
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		return sameFields(a, b)
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	default: // strings, numbers and truth values are all that is left
		return a.Equal(b)
	}
}

func sameFields(a, b reflect.Value) bool {
	for i := range a.NumField() {
		if a.Type().Field(i).Type == spanType {
			continue
		}
		if !same(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}
