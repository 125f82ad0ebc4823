package blackhole

import (
	"errors"
	"testing"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/jobgraph"
	"millrace/stream"
	"millrace/stream/streamtest"
	"millrace/types"
)

var schema = types.NewSchema(
	types.Field{Name: "id", Type: types.Of(types.BigInt)},
	types.Field{Name: "name", Type: types.StringType()},
)

func TestConformance(t *testing.T) {
	connectortest.RunSink(t, func(t *testing.T) connectortest.SinkCase {
		var seen []string
		return connectortest.SinkCase{
			Schema: schema,
			Sink: Sink{Watch: func(_ int32, b *stream.Batch) error {
				seen = append(seen, streamtest.Rows(b)...)
				return nil
			}},
			Visible: func(*testing.T) []string { return seen },
		}
	})
}

func TestFactory(t *testing.T) {
	if err := Spec.Validate(); err != nil {
		t.Error(err)
	}
	var registry connectors.Registry
	registry.RegisterSink(Name, Factory)
	if _, err := registry.Sink(&jobgraph.SinkSpec{Connector: Name, Options: map[string]string{"path": "x"}}, schema); err == nil {
		t.Error("an unknown option is taken")
	}
	s, err := registry.Sink(&jobgraph.SinkSpec{Connector: Name}, schema)
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Writer(connectors.WriterContext{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	var pool stream.Pool
	b := streamtest.Batch(t, &pool, schema, "1 'a'\n-D 2 NULL")
	defer b.Release()
	if err := w.Write(b); err != nil || !w.Ready() {
		t.Errorf("write: %v, ready %t", err, w.Ready())
	}
}

func TestWatchMayRefuse(t *testing.T) {
	no := errors.New("wrong sum")
	w, err := Sink{Watch: func(int32, *stream.Batch) error { return no }}.Writer(connectors.WriterContext{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(nil); !errors.Is(err, no) {
		t.Errorf("error %v", err)
	}
}
