package exactlyonce

import (
	"log/slog"
	"testing"

	"millrace/cmd/cluster"
)

// startCluster runs a cluster in the test's own process. The returned function closes it, once; the test's end does, too.
func startCluster(t *testing.T, o cluster.Options) (*cluster.Cluster, func()) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if testing.Verbose() {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	o.Wiring = cluster.NewWiring(o.Log)
	c, err := cluster.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	closed := false
	end := func() {
		if closed {
			return
		}
		closed = true
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if n := c.Pool().Live(); n != 0 && !t.Failed() {
			t.Errorf("%d buffers are not given back", n)
		}
	}
	t.Cleanup(end)
	return c, end
}
