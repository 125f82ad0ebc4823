package sdk_test

import (
	"fmt"
	"strings"

	"millrace/connectors"
	"millrace/failure"
	"millrace/options"
	"millrace/sdk"
	"millrace/sdk/sdktest"
	"millrace/types"
)

// A program's own source has a name, options that are checked when a job is described, and what opens it. What it opens keeps the contract of package
// connectors: docs/sdk/project.md has one of a hundred lines.
func ExampleSource() {
	spec := options.Spec{Name: "feed", Options: []options.Option{
		{Key: "url", Required: true, Doc: "Where the feed is."},
		{Key: "batch", Type: options.Int, Default: "100", Min: "1", Doc: "How many rows are asked for at a time."},
	}}
	type feed struct {
		connectors.Source // its Reader and Enumerator
		url               string
		batch             int64
	}
	source := sdk.Source("feed", connectors.SourceFactory{
		Options: func(map[string]string) (options.Spec, error) { return spec, nil },
		Open: func(given map[string]string, columns *types.Schema) (connectors.Source, error) {
			v, err := options.Parse(spec, given)
			if err != nil {
				return nil, err
			}
			if columns.Len() != 1 {
				return nil, failure.Userf("a feed has one column, and not %s", columns)
			}
			return &feed{url: v.Text("url"), batch: v.Int("batch")}, nil
		},
	})
	job := func(given map[string]string) func(*sdk.Env) { // sdk.Main(job, source)
		return func(env *sdk.Env) {
			sdk.From[string](env, "feed", sdk.Connect{Name: "feed", Options: given}).To("out", sdk.Connect{Name: "print"})
		}
	}

	o := sdktest.Options{Program: []sdk.MainOption{source}}
	p := sdktest.Start(tester{}, job(map[string]string{"url": "https://example.org"}), o)
	sdktest.Push(p, "feed", "one", "two") // the test stands in for it
	fmt.Println(sdktest.Rows[string](p, "out"))
	fmt.Println(withoutLines(sdktest.Refused(tester{}, job(map[string]string{"batch": "0"}), o)))
	// Output:
	// [one two]
	// 2 problems:
	//   example_connectors_test.go: the source feed: batch: 0 is less than 1 (got "0")
	//   example_connectors_test.go: the source feed: url: missing (string)
}

// A sink that replaces rows by their key has to be told the key of a stream with updates. It gets no -U, and a -D where a row is gone.
func ExamplePrimaryKey() {
	type Order struct {
		Customer string
		Amount   int64
	}
	store := sdk.Sink("store", connectors.SinkFactory{
		Open: func(map[string]string, *types.Schema) (connectors.Sink, error) {
			return struct{ connectors.Sink }{}, nil // its Writer and Committer
		},
		Traits: func(options.Values) connectors.SinkTraits { return connectors.SinkTraits{Changelog: connectors.Upsert} },
	})
	p := sdktest.Start(tester{}, func(env *sdk.Env) { // sdk.Main(job, store)
		env.View("orders", sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}))
		totals := sdk.Query[Order](env, "totals", "SELECT customer, SUM(amount) AS amount FROM orders GROUP BY customer")
		totals.To("out", sdk.Connect{Name: "store"}, sdk.PrimaryKey("customer"))
	}, sdktest.Options{Program: []sdk.MainOption{store}})

	sdktest.Push(p, "orders", Order{"ann", 20})
	sdktest.Push(p, "orders", Order{"ann", 30})
	for _, change := range sdktest.Changes[Order](p, "out") {
		fmt.Println(change)
	}
	// Output:
	// +I{Customer:ann Amount:20}
	// +U{Customer:ann Amount:50}
}

// SQL of the job knows the program's own sinks by their names, too. What their traits say is checked: this one takes no updates.
func ExampleSink() {
	type Order struct {
		Customer string
		Amount   int64
	}
	sink := sdk.Sink("ledger", connectors.SinkFactory{
		Options: func(map[string]string) (options.Spec, error) { return options.Spec{Name: "ledger"}, nil },
		Open: func(map[string]string, *types.Schema) (connectors.Sink, error) {
			return struct{ connectors.Sink }{}, nil // its Writer and Committer
		},
		Traits: func(options.Values) connectors.SinkTraits {
			return connectors.SinkTraits{Changelog: connectors.AppendOnly}
		},
	})
	job := func(query string) func(*sdk.Env) { // sdk.Main(job, sink)
		return func(env *sdk.Env) {
			env.View("orders", sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"}))
			env.Execute("CREATE TABLE ledger (customer STRING, amount BIGINT) WITH ('connector' = 'ledger')")
			env.Insert("entries", "INSERT INTO ledger "+query)
		}
	}

	o := sdktest.Options{Program: []sdk.MainOption{sink}}
	p := sdktest.Start(tester{}, job("SELECT customer, amount FROM orders"), o)
	sdktest.Push(p, "orders", Order{"ann", 20})
	type Entry struct {
		Customer *string
		Amount   *int64
	}
	for _, e := range sdktest.Rows[Entry](p, "entries") {
		fmt.Println(*e.Customer, *e.Amount)
	}
	err := sdktest.Refused(tester{}, job("SELECT customer, SUM(amount) FROM orders GROUP BY customer"), o)
	fmt.Println(strings.Contains(err.Error(), "doesn't support consuming update changes"))
	// Output:
	// ann 20
	// true
}
