package connectors

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"millrace/failure"
)

func encodedState() []byte {
	p := binary.AppendUvarint([]byte{3}, 7)
	p = binary.AppendVarint(p, math.MinInt64)
	return append(binary.AppendUvarint(p, 4), "text"...)
}

func TestStateReader(t *testing.T) {
	for _, c := range []struct {
		name, want string
		state      []byte
		version    byte
		most       int64
	}{
		{"whole", "", encodedState(), 3, 7},
		{"nothing", "ends early", nil, 3, 7},
		{"another version", "version 3, this program knows 4", encodedState(), 4, 7},
		{"number too large", "7 is out of range", encodedState(), 3, 6},
		{"left over", "1 bytes are left over", append(encodedState(), 0), 3, 7},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewStateReader(c.state, c.version)
			u, v, s := r.Uvarint(c.most), r.Varint(), r.Text()
			err := r.Close("split x")
			switch {
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || failure.ClassOf(err).Domain != failure.DomainInternal):
				t.Errorf("%v, want an internal error with %q", err, c.want)
			case c.want == "" && (err != nil || u != 7 || v != math.MinInt64 || s != "text"):
				t.Errorf("%d, %d, %q, %v", u, v, s, err)
			}
		})
	}
}

// Cut anywhere, a state is an error, and what lies behind the cut is zero.
func TestStateReaderOfCutState(t *testing.T) {
	whole := encodedState()
	for n := range whole {
		r := NewStateReader(whole[:n], 3)
		_, _ = r.Uvarint(7), r.Varint()
		if s := r.Text(); s != "" {
			t.Errorf("cut at %d: text %q", n, s)
		}
		if r.Close("x") == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
}

func FuzzStateReader(f *testing.F) {
	f.Add(encodedState())
	f.Fuzz(func(t *testing.T, state []byte) {
		r := NewStateReader(state, 3)
		if u := r.Uvarint(100); u < 0 || u > 100 {
			t.Errorf("%d is out of range", u)
		}
		_, s := r.Varint(), r.Text()
		if len(s) > len(state) {
			t.Errorf("a text of %d of %d bytes", len(s), len(state))
		}
		_ = r.Close("x")
	})
}
