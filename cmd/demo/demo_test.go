package demo_test

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"millrace/cmd/demo"
	"millrace/cmd/millrace/config"
	"millrace/cmd/millrace/standalone"
	"millrace/internal/testutil/realkafka"
)

// TestOnARealBroker: the demo runs on a broker that is somebody's, under topics of its own, and verifies its result.
func TestOnARealBroker(t *testing.T) {
	broker, err := realkafka.Launch(t.Context(), filepath.Join(t.TempDir(), "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	c, err := config.Load(config.Sources{Dynamic: []string{config.Brokers + "=" + broker.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := standalone.Start(t.Context(), standalone.Options{
		Dir: t.TempDir(), Address: "127.0.0.1:0", Config: c, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := cluster.Close(); err != nil {
			t.Error(err)
		}
	}()
	var out bytes.Buffer
	if err := demo.Run(t.Context(), demo.Options{Bids: 1_000_000, Out: &out, Cluster: cluster}); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"into topic bids-demo-", "into topic bids-per-auction-demo-", "Verified"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not say %q:\n%s", want, out.String())
		}
	}
}
