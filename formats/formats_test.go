package formats

import "testing"

// A nil payload is a tombstone to a sink, so that an empty one must not be nil.
func TestEmptyPayloadIsNotNil(t *testing.T) {
	var p Payloads
	p.Close()
	p.Close()
	if p.Len() != 2 || p.At(0) == nil || p.At(1) == nil {
		t.Errorf("payloads %v", p)
	}
	p.Data = append(p.Data, "abc"...)
	p.Close()
	if string(p.At(2)) != "abc" || p.At(1) == nil || len(p.At(1)) != 0 {
		t.Errorf("payloads %v", p)
	}
}
