package platformtest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestComparisonFindsEveryKind is the test of the oracle.
func TestComparisonFindsEveryKind(t *testing.T) {
	m := Model{}
	for i := range int64(4) {
		m.Add(Bid{Auction: i, Price: 10 * i, Millis: 5})
	}
	right := func(auction int64) Result {
		return Result{auction, "1970-01-01 00:00:00", "1970-01-01 00:00:10", 1, 10 * auction, 10 * auction}
	}
	off := right(2)
	off.Highest++
	for _, test := range []struct {
		name    string
		results []Result
		want    Comparison
	}{
		{"exact", []Result{right(3), right(1), right(0), right(2)}, Comparison{Records: 4}},
		{"missing", []Result{right(0), right(1), right(2)}, Comparison{Records: 3, missing: 1, Lost: 1}},
		{"twice", []Result{right(0), right(1), right(2), right(3), right(1)}, Comparison{Records: 5, twice: 1, Doubled: 1}},
		{"different", []Result{right(0), right(1), off, right(3)}, Comparison{Records: 4, different: 1, Lost: 1, Doubled: 1}},
		{"unexpected", []Result{right(0), right(1), right(2), right(3), right(9)}, Comparison{Records: 5, unexpected: 1, Doubled: 1}},
	} {
		got, err := m.compare(test.results)
		if err != nil {
			t.Fatal(err)
		}
		got.examples = nil
		if diff := cmp.Diff(&test.want, got, cmp.AllowUnexported(Comparison{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	long := right(1)
	long.WindowEnd = "1970-01-01 00:00:20"
	if _, err := m.compare([]Result{long}); err == nil {
		t.Error("a window of another size is taken")
	}
}
