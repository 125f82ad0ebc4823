package codec

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"millrace/failure"
	jobv1 "millrace/proto/millrace/job/v1"
	"millrace/types"
)

// SchemaToProto returns the message that describes a schema on its own. It fails
// for what no message can carry, as ToProto does.
func SchemaToProto(s *types.Schema) (*jobv1.Schema, error) {
	e := &encoder{}
	out := e.schema("schema", s)
	if err := e.problems.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// SchemaFromProto returns the schema that a message describes, nil for nil. Its
// errors are those of FromProto.
func SchemaFromProto(m *jobv1.Schema) (*types.Schema, error) {
	d := &decoder{}
	out := d.schema("schema", m)
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return out, nil
}

// EncodeSchema returns a schema as bytes, the same for the same schema.
func EncodeSchema(s *types.Schema) ([]byte, error) {
	m, err := SchemaToProto(s)
	if err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// DecodeSchema returns the schema of such bytes.
func DecodeSchema(b []byte) (*types.Schema, error) {
	m := &jobv1.Schema{}
	if err := proto.Unmarshal(b, m); err != nil {
		return nil, failure.Internal(fmt.Errorf("read a schema: %w", err))
	}
	return SchemaFromProto(m)
}
