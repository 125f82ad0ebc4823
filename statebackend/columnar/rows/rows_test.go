package rows_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"millrace/statebackend"
	"millrace/statebackend/columnar"
	"millrace/statebackend/columnar/rows"
	"millrace/stream"
	"millrace/types"
)

type file []byte

func (f file) Name() string { return "file" }

func (f file) Open(context.Context) (io.ReadCloser, error) {
	return io.NopCloser(bytes.NewReader(f)), nil
}

var flagged = statebackend.ValueSpec{
	ID: statebackend.TableID{Operator: "op", Name: "profile"}, Keys: []types.Type{types.Of(types.BigInt)},
	Columns: []statebackend.ColumnSpec{
		{Name: "visits", Type: types.Of(types.Int).NotNull()},
		{Name: "name_null", Type: types.Of(types.Boolean).NotNull(), NullOf: "name"},
		{Name: "name", Type: types.StringType().NotNull()},
		{Name: "open", Type: types.Of(types.Boolean).NotNull()},
		{Name: "open_null", Type: types.Of(types.Boolean).NotNull(), NullOf: "open"},
	},
}

// flaggedFile has three rows, the second of which has NULLs.
func flaggedFile(t *testing.T) file {
	t.Helper()
	s, err := columnar.New().Open(t.Context(), statebackend.OpenSpec{
		Task: types.TaskID{Vertex: "v"}, KeyGroups: types.AllKeyGroups(1), MaxParallelism: 1, Parallelism: 1, Pool: &stream.Pool{},
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := s.Value(flagged)
	if err != nil {
		t.Fatal(err)
	}
	keys := &stream.Keys{Layout: stream.Key64, Fixed: []int64{1, 2, 3}}
	for _, k := range keys.Fixed {
		keys.Hashes = append(keys.Hashes, stream.HashUint64(uint64(k)))
	}
	p, slots := v.Part(0, true), make([]statebackend.Slot, 3)
	if _, err := p.Upsert(keys, slots); err != nil {
		t.Fatal(err)
	}
	for i, at := range slots {
		if err := p.SetBytes(2, at, []byte{byte('a' + i)}); err != nil {
			t.Fatal(err)
		}
		words := p.Rows().At(at)
		words[0], words[3] = uint64(i), 1
	}
	words := p.Rows().At(slots[1])
	words[1], words[4] = 1, 1
	x, err := s.Freeze(true)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Release()
	var b bytes.Buffer
	if _, err := x.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestFlagsAreNulls: who looks at rows sees NULL, and not how it is kept.
func TestFlagsAreNulls(t *testing.T) {
	data := flaggedFile(t)
	write := func(format rows.Format, limit int64) string {
		t.Helper()
		var out bytes.Buffer
		w, err := rows.NewWriter(&out, format, limit)
		if err != nil {
			t.Fatal(err)
		}
		if err := columnar.EachRows(t.Context(), data, flagged.ID, w.Add); err != nil && !errors.Is(err, rows.ErrEnough) {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	const lines = `{"key_group":0,"key":1,"visits":0,"name":"a","open":true}
{"key_group":0,"key":2,"visits":1,"name":null,"open":null}
{"key_group":0,"key":3,"visits":2,"name":"c","open":true}
`
	if got := write(rows.JSON, 0); got != lines {
		t.Errorf("JSON:\n%s", got)
	}
	const table = "KEY_GROUP\tKEY\tVISITS\tNAME\tOPEN\n0\t1\t0\ta\ttrue\n0\t2\t1\t(null)\t(null)\n"
	if got := write(rows.Table, 2); got != table {
		t.Errorf("table:\n%s", got)
	}
	r, err := ipc.NewReader(bytes.NewReader([]byte(write(rows.Arrow, 0))))
	if err != nil || !r.Next() {
		t.Fatalf("an Arrow stream: %v", err)
	}
	if b := r.RecordBatch(); b.NumCols() != 5 || b.Column(3).NullN() != 1 || !b.Schema().Field(3).Nullable || b.Column(2).NullN() != 0 {
		t.Errorf("Arrow: %v", b)
	}
}
