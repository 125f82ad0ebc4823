package sdktest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/connectors"
	"millrace/options"
	"millrace/sdk"
	"millrace/sdk/sdktest"
	"millrace/types"
)

// feeds are a source and a sink of a program of which a test asks no more than their options.
func feeds() []sdk.MainOption {
	spec := options.Spec{Name: "feed", Options: []options.Option{{Key: "path", Required: true}}}
	declared := func(map[string]string) (options.Spec, error) { return spec, nil }
	return []sdk.MainOption{
		sdk.Source("feed", connectors.SourceFactory{Options: declared, Open: func(given map[string]string, _ *types.Schema) (connectors.Source, error) {
			_, err := options.Parse(spec, given)
			return nil, err
		}}),
		sdk.Sink("feed", connectors.SinkFactory{Options: declared, Open: func(given map[string]string, _ *types.Schema) (connectors.Sink, error) {
			_, err := options.Parse(spec, given)
			return nil, err
		}}),
	}
}

// TestConnectorsOfTheProgram: the test stands in for them, whether the job or its SQL names them.
func TestConnectorsOfTheProgram(t *testing.T) {
	job := func(path string) func(*sdk.Env) {
		return func(e *sdk.Env) {
			feed := sdk.Connect{Name: "feed", Options: map[string]string{"path": path}}
			if path == "" {
				feed.Options = nil
			}
			e.View("numbers", sdk.From[int64](e, "numbers", feed))
			e.Execute("CREATE TABLE doubled (`value` BIGINT NOT NULL) WITH ('connector' = 'feed', 'path' = 'there')")
			e.Insert("twice", "INSERT INTO doubled SELECT 2 * `value` FROM numbers")
		}
	}
	o := sdktest.Options{Program: feeds()}
	p := sdktest.Start(t, job("here"), o)
	sdktest.Push(p, "numbers", int64(1), int64(2))
	if diff := cmp.Diff([]int64{2, 4}, sdktest.Take[int64](p, "twice.sink-54d25c1b8054")); diff != "" {
		t.Error(diff)
	}
	if err := sdktest.Refused(t, job(""), o); !strings.Contains(err.Error(), "the source numbers: path: ") {
		t.Error(err)
	}
}
