package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"millrace/connectors"
	"millrace/connectors/connectortest"
	"millrace/sdk"
	"millrace/sdk/sdktest"
	"millrace/types"
)

// TestJob runs the job without a cluster, by rows that the test gives.
func TestJob(t *testing.T) {
	p := sdktest.Start(t, job, sdktest.Options{Args: []string{"till.txt", "journal"}, Program: []sdk.MainOption{sdk.Source("lines", lines), sdk.Sink("journal", journal)}})
	sdktest.Push(p, "till", "tea 300", "cake 450")
	p.Checkpoint()
	sdktest.Push(p, "till", "tea 200")
	p.Crash()
	got := sdktest.Rows[string](p, "journal")
	if slices.Sort(got); !slices.Equal(got, []string{"cake 450", "tea 300", "tea 500"}) {
		t.Errorf("%q", got)
	}
}

var text = types.NewSchema(types.Field{Name: "value", Type: types.StringType().NotNull()})

// TestConnectors: they keep the contract on which exactly-once rests.
func TestConnectors(t *testing.T) {
	till := filepath.Join(t.TempDir(), "till.txt")
	if err := os.WriteFile(till, []byte(strings.Repeat("tea 300\ncake 450\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	connectortest.RunSource(t, connectortest.SourceCase{
		Open: func(t *testing.T) connectors.Source { return linesOf(till) }, Schema: text, Ordered: true,
	})
	connectortest.RunSink(t, func(t *testing.T) connectortest.SinkCase {
		folder := t.TempDir()
		return connectortest.SinkCase{Sink: pages(folder), Schema: text, Visible: func(t *testing.T) (rows []string) {
			found, _ := filepath.Glob(filepath.Join(folder, "*"))
			for _, path := range found {
				page, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if strings.HasSuffix(path, pending) {
					continue
				}
				for line := range strings.Lines(string(page)) {
					rows = append(rows, "+I '"+strings.ReplaceAll(strings.TrimSuffix(line, "\n"), "'", "''")+"'")
				}
			}
			return rows
		}}
	})
}
