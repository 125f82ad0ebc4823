package options

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"millrace/failure"
	"millrace/internal/invariant"
)

// Mask is what a secret is printed as.
const Mask = "***"

// Values are options that were checked against their Spec. The zero value has no options. Getters return the default
// for an option that was not given, and the zero value if it has no default either.
type Values struct {
	spec   Spec
	given  map[string]string
	parsed map[string]any
}

// Parse checks given against spec and reports all problems at once, in the order of the keys: unknown keys with the
// nearest known one, values that do not fit, missing options. The error is the user's. given is copied.
func Parse(spec Spec, given map[string]string) (Values, error) {
	var problems failure.Problems
	v := Values{spec: spec, given: maps.Clone(given), parsed: map[string]any{}}
	if len(given) > KeysMax {
		return Values{}, failure.Message{
			Primary: "too many options",
			Detail:  fmt.Sprintf("%d, at most %d", len(given), KeysMax),
		}
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		v.take(key, given[key], &problems)
	}
	for i := range spec.Options {
		v.complete(&spec.Options[i], &problems)
	}
	if err := problems.Err(); err != nil {
		return Values{}, err
	}
	return v, nil
}

// take checks one given option.
func (v *Values) take(key, text string, problems *failure.Problems) {
	o, ok := v.spec.lookup(key)
	if !ok {
		problems.Add(v.spec.unknown(key))
		return
	}
	if len(text) > ValueBytesMax {
		problems.Addf("", key, "value of %d bytes, at most %d", len(text), ValueBytesMax)
		return
	}
	if o.Type == Map {
		m, _ := v.parsed[o.Key].(map[string]string)
		if m == nil {
			m = map[string]string{}
			v.parsed[o.Key] = m
		}
		m[strings.TrimPrefix(key, o.Key)] = text
		return
	}
	value, err := o.parse(text)
	if err != nil {
		problems.Add(o.invalid(text, err))
		return
	}
	v.parsed[key] = value
}

// complete adds the default of an option that was not given, or complains that it is missing.
func (v *Values) complete(o *Option, problems *failure.Problems) {
	if _, ok := v.parsed[o.Key]; ok {
		return
	}
	if _, ok := v.given[o.Key]; ok {
		return // given and wrong: that problem is on the list already
	}
	if o.Required {
		problems.Add(failure.Message{Field: o.Key, Primary: "missing", Detail: o.Type.String(), Hint: o.exampleHint()})
		return
	}
	if o.Default == "" {
		return
	}
	value, err := o.parse(o.Default)
	if err != nil {
		problems.Addf("", o.Key, "default: %v", err)
		return
	}
	v.parsed[o.Key] = value
}

func (o *Option) exampleHint() string {
	if o.Example == "" || o.Secret {
		return ""
	}
	return fmt.Sprintf("for example %q", o.Example)
}

func (o *Option) invalid(text string, err error) failure.Message {
	m := failure.Message{Field: o.Key, Primary: err.Error(), Detail: fmt.Sprintf("got %q", shorten(text)), Hint: o.exampleHint()}
	if o.Secret {
		// The reason may quote the value too.
		m.Primary, m.Detail = "not a valid "+o.Type.String(), ""
	}
	return m
}

func shorten(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

func (s Spec) unknown(key string) failure.Message {
	m := failure.Message{Field: shorten(key), Primary: "unknown option"}
	if s.Name != "" {
		m.Detail = "of " + s.Name
	}
	if near, ok := Nearest(key, s.Keys()); ok {
		m.Hint = fmt.Sprintf("did you mean %q?", near)
	}
	return m
}

// parse returns the value of text in the Go type of the option's type.
func (o *Option) parse(text string) (value any, err error) {
	switch o.Type {
	case Int:
		return bounded(o, text, parseInt, formatInt)
	case Double:
		return parseDouble(text)
	case Bool:
		return parseBool(text)
	case Duration:
		return bounded(o, text, ParseDuration, FormatDuration)
	case MemorySize:
		return bounded(o, text, ParseMemorySize, FormatMemorySize)
	case Enum:
		return o.parseEnum(text)
	case List:
		return parseList(text), nil
	default:
		return text, nil
	}
}

func parseInt(text string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("not a whole number of 64 bits: %q", shorten(text))
	}
	return n, nil
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }

func parseDouble(text string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil {
		return 0, fmt.Errorf("not a number: %q", shorten(text))
	}
	return f, nil
}

func parseBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("neither true nor false: %q", shorten(text))
}

func parseList(text string) []string {
	var out []string
	for item := range strings.SplitSeq(text, ";") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

func (o *Option) parseEnum(text string) (string, error) {
	for _, value := range o.Values {
		if strings.EqualFold(value, strings.TrimSpace(text)) {
			return value, nil
		}
	}
	return "", fmt.Errorf("none of %s: %q", strings.Join(o.Values, ", "), shorten(text))
}

// bounded parses text and checks it against Min and Max.
func bounded[T int64 | time.Duration](o *Option, text string, parse func(string) (T, error), format func(T) string) (any, error) {
	value, err := parse(text)
	if err != nil {
		return nil, err
	}
	if low, err := parse(o.Min); o.Min != "" && err == nil && value < low {
		return nil, fmt.Errorf("%s is less than %s", format(value), format(low))
	}
	if high, err := parse(o.Max); o.Max != "" && err == nil && value > high {
		return nil, fmt.Errorf("%s is more than %s", format(value), format(high))
	}
	return value, nil
}

// get returns the value under key in type T. Asking for an undeclared option, or for one in another type, is a bug.
func get[T any](v Values, key string) T {
	value, ok := v.parsed[key].(T)
	if !ok && invariant.Enabled {
		v.mustBeAbsent(key)
	}
	return value
}

func (v Values) mustBeAbsent(key string) {
	_, has := v.parsed[key]
	declared := slices.ContainsFunc(v.spec.Options, func(o Option) bool { return o.Key == key })
	if has || (!declared && len(v.spec.Options) > 0) {
		_ = invariant.Failedf("option %q of %q is read in a type that it was not declared with", key, v.spec.Name)
	}
}

// IsGiven reports whether the user gave the option, whatever its default.
func (v Values) IsGiven(key string) bool {
	_, ok := v.given[key]
	return ok
}

// Text returns the value of a String or Enum that is no secret.
func (v Values) Text(key string) string { return get[string](v, key) }

// Secret returns the value of a String that is a secret.
func (v Values) Secret(key string) Secret { return NewSecret(get[string](v, key)) }

// Int returns the value of an Int.
func (v Values) Int(key string) int64 { return get[int64](v, key) }

// Double returns the value of a Double.
func (v Values) Double(key string) float64 { return get[float64](v, key) }

// Bool returns the value of a Bool.
func (v Values) Bool(key string) bool { return get[bool](v, key) }

// Duration returns the value of a Duration.
func (v Values) Duration(key string) time.Duration { return get[time.Duration](v, key) }

// Bytes returns the value of a MemorySize.
func (v Values) Bytes(key string) int64 { return get[int64](v, key) }

// List returns a copy of the value of a List.
func (v Values) List(key string) []string { return slices.Clone(get[[]string](v, key)) }

// Map returns a copy of what was given under a Map's prefix, without the prefix.
func (v Values) Map(key string) map[string]string { return maps.Clone(get[map[string]string](v, key)) }

// Warnings returns a line for each deprecated option that was given, in the order of the declaration.
func (v Values) Warnings() []string {
	var out []string
	for _, o := range v.spec.Options {
		if o.Deprecated != "" && v.IsGiven(o.Key) {
			out = append(out, fmt.Sprintf("option %s is deprecated: %s", o.Key, o.Deprecated))
		}
	}
	return out
}

// Masked returns what was given, with *** for secrets: those declared as such, and in a Map those whose key says so.
func (v Values) Masked() map[string]string {
	out := maps.Clone(v.given)
	for key := range out {
		if o, ok := v.spec.lookup(key); !ok || o.Secret || (o.Type == Map && LooksSecret(key)) {
			out[key] = Mask
		}
	}
	return out
}

// String prints what was given as key=value, sorted by key, with *** for secrets.
func (v Values) String() string {
	masked := v.Masked()
	var b strings.Builder
	for i, key := range slices.Sorted(maps.Keys(masked)) {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(key + "=" + masked[key])
	}
	return b.String()
}

// Format keeps every verb from reaching the values, secrets among them.
func (v Values) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(v.String())) }

// LogValue logs what String prints.
func (v Values) LogValue() slog.Value { return slog.StringValue(v.String()) }
