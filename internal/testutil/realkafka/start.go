package realkafka

import "testing"

// Start runs a broker in t.TempDir and ends it when the test does. The test fails if the broker does not come up; its
// log is printed if the test fails for any reason.
func Start(t testing.TB, options ...Option) *Broker {
	t.Helper()
	b, err := Launch(t.Context(), t.TempDir(), options...)
	if err != nil {
		t.Fatalf("launch a broker: %v", err)
	}
	t.Cleanup(func() {
		b.Close()
		if t.Failed() {
			t.Logf("the broker's log ends with:\n%s", b.logTail())
		}
	})
	return b
}
