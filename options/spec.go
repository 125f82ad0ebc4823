package options

import (
	"fmt"
	"slices"
	"strings"

	"millrace/failure"
)

// Type is the type of an option's value.
type Type uint8

// The types. The zero value is String.
const (
	// String is any text.
	String Type = iota
	// Int is a decimal integer of 64 bits.
	Int
	// Double is a floating-point number.
	Double
	// Bool is true or false, in any case.
	Bool
	// Duration is a whole number and a unit: "500 ms", "10 s", "1 min".
	Duration
	// MemorySize is a whole number and a binary unit: "64 mb", "1 gb".
	MemorySize
	// Enum is one of Option.Values, in any case.
	Enum
	// List is texts separated by semicolons.
	List
	// Map is every option whose key begins with Option.Key, which ends with a dot.
	Map
)

var typeNames = [...]string{"string", "int", "double", "boolean", "duration", "memory size", "enum", "list", "map"}

// String returns the type's name in the documentation.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type(%d)", uint8(t))
}

// Option declares one option. Default, Example, Min and Max are in the notation that a user writes.
type Option struct {
	Key  string
	Type Type
	// Values are the values of an Enum, as they are printed and returned.
	Values []string
	// Default applies if the option is not given. Empty: none, and the getter returns the zero value.
	Default string
	// Required options must be given; they have no default.
	Required bool
	// Min and Max bound an Int, Duration or MemorySize, both inclusive. Empty: no bound.
	Min, Max string
	// Doc says what the option does, in full sentences.
	Doc     string
	Example string
	// Secret values are printed as ***.
	Secret bool
	// Deprecated says what to use instead. Empty: not deprecated.
	Deprecated string
}

// Spec is the declaration of a set of options.
type Spec struct {
	// Name says whose options these are: a heading of the documentation and a word in errors.
	Name    string
	Options []Option
}

// Join returns a Spec with the options of all specs in their order.
func Join(name string, specs ...Spec) Spec {
	out := Spec{Name: name}
	for _, s := range specs {
		out.Options = append(out.Options, s.Options...)
	}
	return out
}

// Prefixed returns a copy whose keys have prefix in front, as a format's options have the format's name.
func (s Spec) Prefixed(prefix string) Spec {
	out := Spec{Name: s.Name, Options: slices.Clone(s.Options)}
	for i := range out.Options {
		out.Options[i].Key = prefix + out.Options[i].Key
	}
	return out
}

// Keys returns the declared keys, sorted.
func (s Spec) Keys() []string {
	keys := make([]string, 0, len(s.Options))
	for _, o := range s.Options {
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys
}

// lookup returns the option that key belongs to: the one with that key, else the Map with the longest prefix of it.
func (s Spec) lookup(key string) (*Option, bool) {
	var found *Option
	for i := range s.Options {
		o := &s.Options[i]
		if o.Type != Map && o.Key == key {
			return o, true
		}
		if o.Type == Map && strings.HasPrefix(key, o.Key) && len(key) > len(o.Key) &&
			(found == nil || len(o.Key) > len(found.Key)) {
			found = o
		}
	}
	return found, found != nil
}

// Validate reports what is wrong with the declaration itself, all at once. Whoever declares a Spec tests it with this.
func (s Spec) Validate() error {
	var problems failure.Problems
	seen := map[string]bool{}
	for _, o := range s.Options {
		if seen[o.Key] {
			problems.Addf("", o.Key, "declared twice")
		}
		seen[o.Key] = true
		o.validate(&problems)
	}
	return problems.Err()
}

func (o *Option) validate(problems *failure.Problems) {
	complain := func(format string, args ...any) { problems.Addf("", o.Key, format, args...) }
	if o.Key == "" || len(o.Key) > KeyBytesMax {
		complain("a key has 1 to %d bytes", KeyBytesMax)
	}
	if o.Doc == "" {
		complain("has no documentation")
	}
	if o.Required && o.Default != "" {
		complain("is required and has a default")
	}
	if (o.Type == Enum) != (len(o.Values) > 0) {
		complain("values are given for an enum, and only there")
	}
	if o.Type == Map && (!strings.HasSuffix(o.Key, ".") || o.Default != "") {
		complain("a map's key ends with a dot, and it has no default")
	}
	if (o.Min != "" || o.Max != "") && o.Type != Int && o.Type != Duration && o.Type != MemorySize {
		complain("bounds are for an int, duration or memory size")
	}
	for _, text := range []string{o.Default, o.Example, o.Min, o.Max} {
		if _, err := o.parse(text); text != "" && err != nil {
			complain("declared value: %v", err)
		}
	}
}
