package inspect

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/statebackend"
	"millrace/types"
)

// Columns that tell of NULL stand in the types of others; where there are none, types are shown as they were declared.
func TestTexts(t *testing.T) {
	amount := statebackend.ColumnSpec{Name: "amount", Type: types.Of(types.Int)}
	name := statebackend.ColumnSpec{Name: "name", Type: types.StringType().NotNull()}
	flag := statebackend.ColumnSpec{Name: "name_null", Type: types.Of(types.Boolean), NullOf: "name"}
	for _, c := range []struct {
		columns []statebackend.ColumnSpec
		want    []string
	}{
		{nil, nil},
		{[]statebackend.ColumnSpec{amount, name}, []string{"amount INT", "name STRING NOT NULL"}},
		{[]statebackend.ColumnSpec{amount, flag, name}, []string{"amount INT NOT NULL", "name STRING"}},
	} {
		if diff := cmp.Diff(c.want, texts(c.columns)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}
