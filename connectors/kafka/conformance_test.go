package kafka

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/stream"
	"millrace/stream/streamtest"
)

// TestSourceConformance reads three partitions, one of them empty but for
// transactions that were aborted.
func TestSourceConformance(t *testing.T) {
	e := fakeEnv(t, 3)
	e.produce(0, numbered("a", 0, 90)...)
	e.transact(true, 1, numbered("b", 0, 40)...)
	e.transact(false, 1, "never")
	e.transact(true, 1, numbered("c", 0, 20)...)
	e.transact(false, 2, "never")
	connectortest.RunSource(t, connectortest.SourceCase{
		Open: func(t *testing.T) connectors.Source {
			s, err := e.connector().Source().Open(e.options(with(bounded, keyStartup, modeEarliest)), textSchema)
			if err != nil {
				t.Fatal(err)
			}
			return s
		},
		Schema: textSchema, Ordered: true,
	})
}

// TestSinkConformance gives each subtask a partition of its own: elsewhere a
// committed transaction can't be read behind an open one of another subtask.
func TestSinkConformance(t *testing.T) {
	connectortest.RunSink(t, func(t *testing.T) connectortest.SinkCase {
		e := fakeEnv(t, 4)
		s, err := e.connector().Sink().Open(e.options(map[string]string{
			keyGuarantee: guaranteeExactlyOnce, keyLinger: "0", keyPartitioner: partitionFixed,
		}), textSchema)
		if err != nil {
			t.Fatal(err)
		}
		return connectortest.SinkCase{
			Sink: s, Schema: textSchema,
			Batch: func(r *rand.Rand, p *stream.Pool) *stream.Batch {
				rows := make([]string, 1+r.IntN(20))
				for i := range rows {
					rows[i] = fmt.Sprintf("+I 'row %d'", r.Uint32())
				}
				return streamtest.Batch(t, p, textSchema, strings.Join(rows, "\n"))
			},
			Visible: func(*testing.T) []string {
				var rows []string
				for _, v := range e.committed() {
					rows = append(rows, "+I '"+v+"'")
				}
				return rows
			},
		}
	})
}

// TestNothingIsLeftRunning closes readers, writers and a committer in the middle
// of their work.
func TestNothingIsLeftRunning(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("work", func(t *testing.T) { // at its end the fake and the test's own clients are closed, too
		e := fakeEnv(t, 1)
		e.produce(0, numbered("", 0, 50)...)
		r := e.read(1, map[string]string{keyGroup: "g"}, nil)
		r.first(7)
		r.snapshot()
		r.readers[0].CheckpointComplete(1)
		r.close()
		j := e.job(nil)
		j.start(2)
		j.write(0, "a")
		j.prepare(1)
		j.write(0, "b")
		j.crash()
	})
	goleak.VerifyNone(t, before)
}
