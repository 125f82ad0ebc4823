package print

import (
	"fmt"
	"io"
	"strconv"
	"sync"

	"millrace/connectors"
	"millrace/failure"
	"millrace/options"
	"millrace/stream"
	"millrace/types"
)

// Name is the connector's name in a table's options.
const Name = "print"

// Spec declares the options.
var Spec = options.Spec{Name: Name, Options: []options.Option{
	{Key: "print-identifier", Doc: "A word in front of every line.", Example: "bids"},
	{Key: "standard-error", Type: options.Bool, Default: "false", Doc: "Whether lines go to the standard error stream instead of the standard output."},
}}

// Factory returns the factory of sinks that write to out, or to standardError
// where the option says so. Each line is one Write; writes come one at a time.
func Factory(out, standardError io.Writer) connectors.SinkFactory {
	regular, other := &lines{to: out}, &lines{to: standardError}
	return connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return Spec, nil },
		Open: func(given map[string]string, _ *types.Schema) (connectors.Sink, error) {
			v, err := options.Parse(Spec, given)
			if err != nil {
				return nil, err
			}
			s := &sink{identifier: v.Text("print-identifier"), to: regular}
			if v.Bool("standard-error") {
				s.to = other
			}
			return s, nil
		},
		Traits: func(options.Values) connectors.SinkTraits {
			return connectors.SinkTraits{Changelog: connectors.Retract}
		},
	}
}

// lines lets many tasks write to one place.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lines) write(p []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.to.Write(p)
	return err
}

type sink struct {
	identifier string
	to         *lines
}

// Writer implements connectors.Sink.
func (s *sink) Writer(ctx connectors.WriterContext) (connectors.Writer, error) {
	return &writer{to: s.to, prefix: prefix(s.identifier, ctx.Identity)}, nil
}

// Committer implements connectors.Sink: there is nothing to commit.
func (*sink) Committer(connectors.CommitterContext) (connectors.Committer, error) { return nil, nil }

// prefix is what stands before a row: identifier and subtask, as far as they
// tell anything.
func prefix(identifier string, id connectors.Identity) string {
	subtask := ""
	if id.Parallelism > 1 {
		subtask = strconv.Itoa(int(id.Subtask) + 1)
	}
	switch {
	case identifier == "" && subtask == "":
		return ""
	case identifier == "" || subtask == "":
		return identifier + subtask + "> "
	default:
		return identifier + ":" + subtask + "> "
	}
}

// writer prints the rows of one task. Printing may block as long as whoever
// reads the text does: it is for looking at a job, not for running one.
type writer struct {
	to     *lines
	prefix string
	text   []byte
}

// Ready implements connectors.Writer: always.
func (*writer) Ready() bool { return true }

// Write implements connectors.Writer.
func (w *writer) Write(b *stream.Batch) error {
	w.text = w.text[:0]
	for i := range b.Rows() {
		w.text = appendRow(append(w.text, w.prefix...), b, b.Row(i))
		w.text = append(w.text, '\n')
	}
	if len(w.text) == 0 {
		return nil
	}
	if err := w.to.write(w.text); err != nil {
		return failure.External(fmt.Errorf("print rows: %w", err), failure.Restart)
	}
	return nil
}

// Prepare implements connectors.Writer.
func (*writer) Prepare(types.CheckpointID) error { return nil }

// Prepared implements connectors.Writer: at once, with nothing to commit.
func (*writer) Prepared(types.CheckpointID) ([][]byte, bool, error) { return nil, true, nil }

// CheckpointComplete implements connectors.Writer.
func (*writer) CheckpointComplete(types.CheckpointID) {}

// CheckpointAborted implements connectors.Writer.
func (*writer) CheckpointAborted(types.CheckpointID) {}

// Close implements connectors.Writer.
func (*writer) Close() error { return nil }
