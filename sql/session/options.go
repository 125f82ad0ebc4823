package session

import (
	"errors"
	"maps"
	"slices"

	"millrace/failure"
	"millrace/options"
	"millrace/sql/analyze"
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/sql/physical"
)

// Keys of options that commands have flags for.
const (
	FromSavepoint    = "execution.state-recovery.path"
	AllowNonRestored = "execution.state-recovery.ignore-unclaimed-state"
)

const (
	dmlSync   = "table.dml-sync"
	localZone = "table.local-time-zone"
)

// Spec has the options of a session: those of planning, and its own. Where Flink has an option, this is its name and its meaning.
var Spec = options.Join("session", ownSpec, physical.Spec)

var ownSpec = options.Spec{Name: "session", Options: []options.Option{
	{Key: dmlSync, Type: options.Bool, Default: "false", Doc: "Whether INSERT waits for the end of its job before the next statement."},
	{Key: FromSavepoint, Type: options.String, Example: "file:///savepoints/bids-7", Doc: "The savepoint, or the manifest of a checkpoint, that the jobs of the statements behind it start from. RESET it in front of a job that is to start empty."},
	{Key: AllowNonRestored, Type: options.Bool, Default: "false", Doc: "Whether state may be left behind for which a job has no place."},
}}

// effective leaves out the options that are Flink's and mean nothing here.
func effective(given map[string]string) map[string]string {
	out := maps.Clone(given)
	maps.DeleteFunc(out, func(key, _ string) bool {
		_, none := physical.NoEffect(key)
		return none
	})
	return out
}

// apply takes options, all or none.
func (s *Session) apply(given map[string]string) error {
	v, err := options.Parse(Spec, effective(given))
	if err != nil {
		return err
	}
	zone, err := s.Zone(v.Text(localZone))
	if err != nil {
		return failure.User(failure.Message{Field: localZone, Primary: err.Error()})
	}
	s.set, s.options, s.zone = maps.Clone(given), v, zone
	return nil
}

// setOption carries out SET.
func (s *Session) setOption(st *ast.Set) (Outcome, error) {
	if st.Option == nil {
		return s.listed(), nil
	}
	key := st.Option.Key.Value
	if _, none := physical.NoEffect(key); !none && !slices.Contains(Spec.Keys(), key) {
		return nil, unknownOption(key)
	}
	if err := s.apply(merged(s.set, key, st.Option.Value.Value)); err != nil {
		return nil, err
	}
	if why, none := physical.NoEffect(key); none {
		return &Done{Warning: key + " has no effect: " + why}, nil
	}
	return &Done{}, nil
}

// listed returns what is set, masked where it is secret.
func (s *Session) listed() *Rows {
	out := &Rows{Columns: []string{"key", "value"}}
	masked := s.options.Masked()
	for _, key := range slices.Sorted(maps.Keys(s.set)) {
		text, effective := masked[key]
		if !effective {
			text = s.set[key]
		}
		out.add(key, text)
	}
	return out
}

// reset carries out RESET: back to what the session began with.
func (s *Session) reset(st *ast.Reset) (Outcome, error) {
	if st.Key == nil {
		return &Done{}, s.apply(s.Config.Options)
	}
	key := st.Key.Value
	if _, known := s.set[key]; !known && !slices.Contains(Spec.Keys(), key) {
		return nil, unknownOption(key)
	}
	next := maps.Clone(s.set)
	if value, began := s.Config.Options[key]; began {
		next = merged(next, key, value)
	} else {
		delete(next, key)
	}
	return &Done{}, s.apply(next)
}

func unknownOption(key string) error {
	m := failure.Message{Field: key, Primary: "there is no option of this name"}
	if near, ok := options.Nearest(key, append(Spec.Keys(), physical.WithoutEffect()...)); ok {
		m.Hint = "did you mean " + near + "?"
	}
	return failure.User(m)
}

// add appends a row without NULLs.
func (r *Rows) add(cells ...string) {
	row := make([]*string, len(cells))
	for i := range cells {
		row[i] = &cells[i]
	}
	r.Cells = append(r.Cells, row)
}

// told is the error of an analyzer as a user reads it: a name that nobody has is wrong.
func told(err error) error {
	if unresolved, ok := errors.AsType[*analyze.Unresolved](err); ok {
		return unresolved.Err
	}
	return err
}

// at gives an error the place of a part of the text.
func at(text string, n interface{ Range() ast.Span }, m failure.Message) error {
	return parser.ErrorAt(text, n.Range().Start, m)
}
