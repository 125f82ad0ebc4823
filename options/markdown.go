package options

import (
	"fmt"
	"strings"
)

// Markdown returns the reference page of the spec: a heading and a table with a row an option, in the order of the
// declaration.
func (s Spec) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n| Option | Required | Default | Type | Description |\n|---|---|---|---|---|\n", s.Name)
	for _, o := range s.Options {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", o.shownKey(), o.shownRequired(), o.shownDefault(), o.shownType(), o.shownDoc())
	}
	return b.String()
}

func (o *Option) shownKey() string {
	if o.Type == Map {
		return o.Key + "*"
	}
	return o.Key
}

func (o *Option) shownRequired() string {
	if o.Required {
		return "required"
	}
	return "optional"
}

func (o *Option) shownDefault() string {
	switch {
	case o.Default == "":
		return "(none)"
	case o.Secret:
		return Mask
	}
	return code(o.Default)
}

func (o *Option) shownType() string {
	if o.Type != Enum {
		return o.Type.String()
	}
	shown := make([]string, len(o.Values))
	for i, v := range o.Values {
		shown[i] = code(v)
	}
	return "one of " + strings.Join(shown, ", ")
}

func (o *Option) shownDoc() string {
	parts := []string{cell(o.Doc)}
	if o.Min != "" {
		parts = append(parts, "At least "+code(o.Min)+".")
	}
	if o.Max != "" {
		parts = append(parts, "At most "+code(o.Max)+".")
	}
	if o.Example != "" && !o.Secret {
		parts = append(parts, "Example: "+code(o.Example)+".")
	}
	if o.Secret {
		parts = append(parts, "Never printed.")
	}
	if o.Deprecated != "" {
		parts = append(parts, "**Deprecated**: "+cell(o.Deprecated))
	}
	return strings.Join(parts, " ")
}

func code(text string) string { return "`" + cell(text) + "`" }

// cell makes text fit into one cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(strings.TrimSpace(text))
}
