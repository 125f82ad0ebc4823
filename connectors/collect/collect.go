package collect

import (
	"sync/atomic"

	"millrace/blobstore"
	"millrace/connectors"
	"millrace/failure"
	"millrace/options"
	"millrace/types"
)

// Name is the connector's name in a job graph.
const Name = "collect"

// Spec declares that there are no options.
var Spec = options.Spec{Name: Name}

// Connector makes sinks over a store that may be known later than the connector. The
// zero value has none.
type Connector struct {
	store atomic.Pointer[blobstore.Store]
}

// UseStore says where rows go. It is called before a sink writes or commits; who is
// called again with another store has nothing in the first.
func (c *Connector) UseStore(s blobstore.Store) { c.store.Store(&s) }

// Register adds the sink to a registry.
func (c *Connector) Register(r *connectors.Registry) {
	r.RegisterSink(Name, connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return Spec, nil },
		Open:    c.open,
		Traits: func(options.Values) connectors.SinkTraits {
			return connectors.SinkTraits{Changelog: connectors.Retract}
		},
	})
}

func (c *Connector) open(given map[string]string, _ *types.Schema) (connectors.Sink, error) {
	if _, err := options.Parse(Spec, given); err != nil {
		return nil, err
	}
	return &sink{connector: c, limits: limits{partBytes, queuedBytesMax, keptBytesMax, keptPartsMax}}, nil
}

// limits are those of limits.go, which tests make smaller.
type limits struct {
	partBytes, queuedBytesMax int
	keptBytesMax              int64
	keptPartsMax              int
}

// sink implements connectors.Sink.
type sink struct {
	connector *Connector
	limits    limits
}

// store returns the store, which a graph's check needs not.
func (s *sink) store() (blobstore.Store, error) {
	if p := s.connector.store.Load(); p != nil {
		return *p, nil
	}
	return nil, failure.Internalf("the sink %s has not been given a store", Name)
}
