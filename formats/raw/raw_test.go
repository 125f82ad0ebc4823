package raw

import (
	"math/rand/v2"
	"testing"

	"millrace/failure"
	"millrace/formats"
	"millrace/formats/formattest"
	"millrace/stream"
	"millrace/types"
)

func column(t types.Type) *types.Schema { return types.NewSchema(types.Field{Name: "v", Type: t}) }

func TestConformance(t *testing.T) {
	formattest.Run(t, formattest.Format{
		NewDecoder: func(s *types.Schema) (formats.Decoder, error) { return NewDecoder(s) },
		NewEncoder: func(s *types.Schema) (formats.Encoder, error) { return NewEncoder(s) },
		Schemas:    []*types.Schema{column(types.BytesType().NotNull()), column(types.StringType().NotNull())},
	})
}

func TestSchemasRefused(t *testing.T) {
	two := types.NewSchema(types.Field{Name: "a", Type: types.StringType()}, types.Field{Name: "b", Type: types.StringType()})
	for _, s := range []*types.Schema{two, column(types.Of(types.BigInt)), {}} {
		if _, err := NewDecoder(s); failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("decoder of %s: %v", s, err)
		}
		if _, err := NewEncoder(s); failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("encoder of %s: %v", s, err)
		}
	}
}

func TestEncodeRefusesNullsAndRetractions(t *testing.T) {
	var pool stream.Pool
	s := column(types.StringType())
	e, err := NewEncoder(s)
	if err != nil {
		t.Fatal(err)
	}
	null := pool.NewBatch(s, 2)
	builder := stream.NewBuilder(&pool, s.Fields[0].Type, 2)
	builder.AppendString("x")
	builder.AppendNull()
	null.Columns[0] = builder.Finish()
	gone := formattest.RandomBatch(&pool, column(types.StringType().NotNull()), 2, rand.New(rand.NewPCG(1, 1)))
	gone.Schema = s
	gone.MakeKinds()[1] = stream.Delete
	for name, b := range map[string]*stream.Batch{"null": null, "delete": gone} {
		out := formats.Payloads{Data: []byte("kept"), Ends: []int{4}}
		if err := e.Encode(b, &out); failure.ClassOf(err).Domain != failure.DomainUser || out.Len() != 1 || string(out.Data) != "kept" {
			t.Errorf("%s: %v, %d payloads, data %q", name, err, out.Len(), out.Data)
		}
		b.Release()
	}
}
