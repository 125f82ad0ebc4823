package failure

import (
	"errors"
	"fmt"
	"strings"
)

// Message is text for a user, in the parts that a client may lay out by itself. As an error it is the user's and never
// retried; wrap it with External or Internal where that is wrong. Only Primary is required. The value is comparable
// and safe to copy.
type Message struct {
	// Primary says in one line what is wrong: lower case, no full stop.
	Primary string
	// Detail says what was found, where Primary alone does not make it plain.
	Detail string
	// Hint says what to do about it.
	Hint string
	// Vertex and Field name the place in a job graph, or in a set of options (Field alone).
	Vertex string
	Field  string
	// Position is the place in a text, if there is one.
	Position Position
}

// Position is a place in a text; both numbers count from 1. The zero value is no place. Column counts characters.
type Position struct {
	Line   int
	Column int
}

// IsSet reports whether the position names a place.
func (p Position) IsSet() bool { return p.Line > 0 }

// String prints "line:column", or nothing for no place.
func (p Position) String() string {
	if !p.IsSet() {
		return ""
	}
	return fmt.Sprintf("%d:%d", p.Line, p.Column)
}

// Error prints the message on one line: place, primary, detail in brackets, hint last.
func (m Message) Error() string {
	var b strings.Builder
	if place := m.place(); place != "" {
		b.WriteString(place)
		b.WriteString(": ")
	}
	b.WriteString(m.Primary)
	if m.Detail != "" {
		b.WriteString(" (" + m.Detail + ")")
	}
	if m.Hint != "" {
		b.WriteString("; hint: " + m.Hint)
	}
	return b.String()
}

// FailureClass makes a Message the user's failure.
func (m Message) FailureClass() Class { return Class{DomainUser, Never} }

func (m Message) place() string {
	var parts []string
	if m.Position.IsSet() {
		parts = append(parts, "at "+m.Position.String())
	}
	if m.Vertex != "" {
		parts = append(parts, "vertex "+m.Vertex)
	}
	if m.Field != "" {
		parts = append(parts, "field "+m.Field)
	}
	return strings.Join(parts, ", ")
}

// ProblemsMax bounds how many problems one Problems keeps; the rest are counted. Nobody reads on after that, and input
// made of nothing but mistakes must not fill the memory.
const ProblemsMax = 100

// Problems gathers what is wrong with an input, in the order of finding. The zero value is ready to use and holds no
// problem. Return Err, not the Problems itself. It is not safe for concurrent use.
type Problems struct {
	list    []Message
	dropped int
}

// Add keeps one problem.
func (p *Problems) Add(m Message) {
	if len(p.list) >= ProblemsMax {
		p.dropped++
		return
	}
	p.list = append(p.list, m)
}

// Addf keeps a problem with a place and a formatted primary text. Vertex and field may be empty.
func (p *Problems) Addf(vertex, field, format string, args ...any) {
	p.Add(Message{Vertex: vertex, Field: field, Primary: fmt.Sprintf(format, args...)})
}

// AddError keeps every problem inside err: those of a Problems one by one, a Message as it is, and the text of any
// other error. It keeps nothing for nil. Text and class that wrap a Message or a Problems are dropped: pass the bare error.
func (p *Problems) AddError(err error) {
	var many *Problems
	var one Message
	switch {
	case err == nil:
	case errors.As(err, &many):
		for _, m := range many.list {
			p.Add(m)
		}
		p.dropped += many.dropped
	case errors.As(err, &one):
		p.Add(one)
	default:
		p.Add(Message{Primary: err.Error()})
	}
}

// Within sets the vertex of every problem that has none yet.
func (p *Problems) Within(vertex string) {
	for i := range p.list {
		if p.list[i].Vertex == "" {
			p.list[i].Vertex = vertex
		}
	}
}

// Len returns the number of problems found, those beyond ProblemsMax included.
func (p *Problems) Len() int { return len(p.list) + p.dropped }

// All returns the problems kept. The slice belongs to p.
func (p *Problems) All() []Message { return p.list }

// Err returns nil if there is no problem, and otherwise p as an error of the user's domain.
func (p *Problems) Err() error {
	if p.Len() == 0 {
		return nil
	}
	return p
}

// Error prints one problem on one line, and several on a line each below a count.
func (p *Problems) Error() string {
	if len(p.list) == 1 && p.dropped == 0 {
		return p.list[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d problems:", p.Len())
	for _, m := range p.list {
		b.WriteString("\n  " + m.Error())
	}
	if p.dropped > 0 {
		fmt.Fprintf(&b, "\n  and %d more", p.dropped)
	}
	return b.String()
}

// FailureClass makes a Problems the user's failure.
func (p *Problems) FailureClass() Class { return Class{DomainUser, Never} }
