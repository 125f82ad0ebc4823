package kafka

import (
	"log/slog"

	"millrace/connectors"
	"millrace/failure"
	"millrace/formats"
	"millrace/options"
	"millrace/types"
)

// Connector makes the factories of sources and sinks. Its fields are set before use.
type Connector struct {
	Formats formats.Registry
	// Connect reaches a cluster; nil is the package's Connect.
	Connect func(ClusterSpec) (Cluster, error)
	// Log takes what no error carries; nil discards it.
	Log *slog.Logger
	// CommitsAtOnce is how many transactions a committer ends at a time; 0 is the package's number. With 1 it asks a model
	// of Kafka in an order that repeats.
	CommitsAtOnce int
}

// Name is the name under which the connector is registered.
const Name = "kafka"

// Register adds source and sink to a registry.
func (c *Connector) Register(r *connectors.Registry) {
	r.RegisterSource(Name, c.Source())
	r.RegisterSink(Name, c.Sink())
}

func (c *Connector) connect(s ClusterSpec) (Cluster, error) {
	if c.Connect != nil {
		return c.Connect(s)
	}
	return Connect(s)
}

func (c *Connector) log() *slog.Logger {
	if c.Log != nil {
		return c.Log
	}
	return slog.New(slog.DiscardHandler)
}

// Source returns the factory of sources.
func (c *Connector) Source() connectors.SourceFactory {
	return connectors.SourceFactory{
		Options: func(given map[string]string) (options.Spec, error) { return c.spec(sourceSpec, given) },
		Open:    c.openSource,
		Traits: func(v options.Values) connectors.SourceTraits {
			f := c.Formats[v.Text(keyFormat)]
			return connectors.SourceTraits{Bounded: v.Text(keyBounded) != modeUnbounded, Fields: f.Fields, Columns: f.Columns}
		},
	}
}

// Sink returns the factory of sinks.
func (c *Connector) Sink() connectors.SinkFactory {
	return connectors.SinkFactory{
		Options: func(given map[string]string) (options.Spec, error) { return c.spec(sinkSpec, given) },
		Open:    c.openSink,
	}
}

// spec joins the connector's options with those of the formats that are named.
func (c *Connector) spec(own options.Spec, given map[string]string) (options.Spec, error) {
	return c.Formats.Join(own, given, keyFormat, keyKeyFormat)
}

func (c *Connector) parse(own options.Spec, given map[string]string) (options.Values, error) {
	spec, err := c.spec(own, given)
	if err != nil {
		return options.Values{}, err
	}
	return options.Parse(spec, given)
}

// source implements connectors.Source.
type source struct {
	connector *Connector
	values    options.Values
	opts      *sourceOptions
}

func (c *Connector) openSource(given map[string]string, schema *types.Schema) (connectors.Source, error) {
	v, err := c.parse(sourceSpec, given)
	if err != nil {
		return nil, err
	}
	opts, err := parseSource(v)
	if err != nil {
		return nil, err
	}
	s := &source{connector: c, values: v, opts: opts}
	_, err = s.decoder(schema)
	return s, err
}

func (s *source) decoder(schema *types.Schema) (formats.Decoder, error) {
	return s.connector.Formats.Decoder(s.opts.format, schema, s.values)
}

// sink implements connectors.Sink.
type sink struct {
	connector *Connector
	values    options.Values
	opts      *sinkOptions
}

func (c *Connector) openSink(given map[string]string, schema *types.Schema) (connectors.Sink, error) {
	v, err := c.parse(sinkSpec, given)
	if err != nil {
		return nil, err
	}
	opts, err := parseSink(v)
	if err != nil {
		return nil, err
	}
	s := &sink{connector: c, values: v, opts: opts}
	_, err = s.encoding(schema)
	return s, err
}

// encoding makes the encoders of values and keys for rows of a schema.
func (s *sink) encoding(schema *types.Schema) (*encoding, error) {
	value, err := s.encoder(s.opts.format, schema)
	if err != nil {
		return nil, err
	}
	e := &encoding{value: value}
	if len(s.opts.keyFields) == 0 {
		return e, nil
	}
	e.keySchema = &types.Schema{}
	for _, name := range s.opts.keyFields {
		i := schema.Index(name)
		if i < 0 {
			return nil, failure.Userf("%s: no column is named %s", keyKeyFields, name)
		}
		e.keyColumns = append(e.keyColumns, i)
		e.keySchema.Fields = append(e.keySchema.Fields, schema.Fields[i])
	}
	e.key, err = s.encoder(s.opts.keyFormat, e.keySchema)
	return e, err
}

func (s *sink) encoder(format string, schema *types.Schema) (formats.Encoder, error) {
	return s.connector.Formats.Encoder(format, schema, s.values)
}
