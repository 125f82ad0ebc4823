package sdk

import (
	"fmt"
	"strings"

	"millrace/failure"
	"millrace/internal/stack"
	"millrace/operators"
)

// guard stands around calls of a user's function: what it returns or panics with becomes a failure that names the function and the row.
type guard struct {
	name string // what it is, its uid, and where it was made
	task string
	row  func() any // the row under way; nil outside of rows
}

func guardOf(n *node) guard {
	return guard{name: fmt.Sprintf("%s %s (%s)", n.what, n.uid, n.at)}
}

func (g *guard) open(ctx *operators.Context) { g.task = ctx.Task.String() }

// userRestart is the class of a failure of user code: it may go away, and the restart strategy decides how often that is tried.
var userRestart = failure.Class{Domain: failure.DomainUser, Retry: failure.Restart}

// rowTextMax bounds what is said of a row.
const rowTextMax = 400

// failed makes an error that the function returned a failure: of the class that the function gave it, if any.
func (g *guard) failed(err error) error {
	class := failure.ClassOf(err)
	if class == (failure.Class{}) {
		class = userRestart
	}
	return failure.With(fmt.Errorf("%s: %w%s", g.name, err, g.provenance()), class)
}

// recovered is deferred around calls. A panic becomes an error, with the stack of the user's code.
func (g *guard) recovered(err *error) {
	if thrown := recover(); thrown != nil {
		*err = failure.With(fmt.Errorf("%s: %s%s", g.name, stack.Panic(thrown), g.provenance()), userRestart)
	}
}

// provenance says of which row of which task.
func (g *guard) provenance() (text string) {
	if g.task == "" { // it is being described
		return ""
	}
	text = "\n  in task " + g.task
	if g.row == nil {
		return text
	}
	defer func() { // a String method of the user's may panic in its turn
		if recover() != nil {
			text += ", a row that can't be shown"
		}
	}()
	return text + ", row " + bounded(fmt.Sprintf("%+v", g.row()), rowTextMax)
}

func bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}
