package docs_test

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"millrace/cmd/cluster"
	"millrace/cmd/command/config"
	"millrace/connectors/blackhole"
	"millrace/connectors/collect"
	"millrace/connectors/datagen"
	"millrace/connectors/files"
	"millrace/connectors/kafka"
	"millrace/connectors/nexmark"
	"millrace/connectors/print"
	"millrace/exchange/remote"
	"millrace/formats/csv"
	"millrace/formats/json"
	"millrace/internal/clock"
	"millrace/internal/metrics"
	"millrace/jobgraph"
	"millrace/jobmanager/lifecycle"
	"millrace/options"
	"millrace/sql/physical"
	"millrace/sql/session"
	"millrace/statebackend/badger"
	"millrace/stream"
	"millrace/taskmanager"
	"millrace/taskmanager/cache"
)

var rewrite = flag.Bool("rewrite", false, "write what is generated into the pages")

// Between these marks a page is generated. The name behind the first says from what.
const (
	beginMark = "<!-- generated: "
	endMark   = "<!-- end of generated -->"
)

// generators make what stands between the marks.
var generators = map[string]func(*testing.T) string{
	"carried":                  carried,
	"configuration":            func(*testing.T) string { return table(config.Spec) },
	"metrics of tasks":         func(t *testing.T) string { return published(t, "millrace_taskmanager_job_task_") },
	"metrics of task managers": func(t *testing.T) string { return published(t, "millrace_taskmanager_") },
	"metrics of jobs":          func(t *testing.T) string { return published(t, "millrace_jobmanager_job_") },
	"states":                   func(*testing.T) string { return "```mermaid\n" + lifecycle.Diagram() + "```\n" },
	"kafka source":             func(t *testing.T) string { return table(own(t, (&kafka.Connector{}).Source().Options)) },
	"kafka sink":               func(t *testing.T) string { return table(own(t, (&kafka.Connector{}).Sink().Options)) },
	"filesystem source":        func(*testing.T) string { return table(files.SourceSpec) },
	"filesystem sink":          func(*testing.T) string { return table(files.SinkSpec) },
	"options without effect":   func(*testing.T) string { return withoutEffect() },
	"values source":            func(*testing.T) string { return table(jobgraph.ValuesSpec) },
	"nexmark source":           func(*testing.T) string { return table(nexmark.Spec) },
	"print sink":               func(*testing.T) string { return table(print.Spec) },
	"blackhole sink":           func(*testing.T) string { return table(blackhole.Spec) },
	"session options":          func(*testing.T) string { return table(session.Spec) },
	"collect sink":             func(*testing.T) string { return table(collect.Spec) },
	"table options":            func(*testing.T) string { return table(physical.TableSpec) },
	"json format":              func(*testing.T) string { return table(json.Spec.Prefixed("json.")) },
	"scalar functions":         scalarFunctions,
	"aggregate functions":      aggregateFunctions,
	"datagen source":           func(*testing.T) string { return table(datagen.Spec) },
	"datagen columns":          func(*testing.T) string { return table(datagen.FieldSpec) },
	"csv format":               func(*testing.T) string { return table(csv.Spec.Prefixed("csv.")) },
	"metrics of job managers":  func(t *testing.T) string { return published(t, "millrace_jobmanager_") },
}

// own returns the options of a connector without those of a format.
func own(t *testing.T, of func(map[string]string) (options.Spec, error)) options.Spec {
	t.Helper()
	s, err := of(nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// table is the reference of a spec without its heading: the page has its own.
func table(s options.Spec) string {
	if len(s.Options) == 0 {
		return "There are no options.\n"
	}
	_, rows, _ := strings.Cut(s.Markdown(), "\n\n")
	return rows
}

// carried says what a graph may name, as the binary is wired.
func carried(*testing.T) string {
	w := cluster.NewWiring(nil)
	known := w.Known()
	var kinds []string
	for _, k := range known.Operators() {
		kinds = append(kinds, string(k))
	}
	var b strings.Builder
	b.WriteString("| kind | names |\n|---|---|\n")
	for _, row := range []struct {
		kind  string
		names []string
	}{{"sources", known.Sources()}, {"sinks", known.Sinks()}, {"operators", kinds}} {
		fmt.Fprintf(&b, "| %s | `%s` |\n", row.kind, strings.Join(row.names, "`, `"))
	}
	return b.String()
}

// published is a table of what a scrape shows when every figure has a value.
func published(t *testing.T, prefix string) string {
	t.Helper()
	r, err := metrics.New(clock.System())
	if err != nil {
		t.Fatal(err)
	}
	setGauges(r.Task(metrics.TaskScope{Job: "j", Vertex: "v"}))
	setGauges(r.Job(metrics.JobScope{Job: "j"}))
	n, err := remote.New(remote.Options{ID: "tm", Resolver: &taskmanager.Addresses{}, Pool: &stream.Pool{}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	c, err := cache.Open(cache.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	tier, err := badger.Open(badger.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tier.Close() }() // it is empty
	m := taskmanager.New(taskmanager.Options{Tier: tier})
	if _, err := r.TaskManager("tm", slices.Concat(n.Figures(), c.Figures(), m.Figures(), tier.Figures())); err != nil {
		t.Fatal(err)
	}
	r.JobManager()
	w := httptest.NewRecorder()
	r.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	var rows []string
	help := map[string]string{}
	for line := range strings.Lines(w.Body.String()) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(words) < 4 || scopeOf(words[2]) != prefix {
			continue
		}
		switch words[1] {
		case "HELP":
			help[words[2]] = words[3]
		case "TYPE":
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s |\n", strings.TrimPrefix(words[2], prefix), words[3], help[words[2]]))
		}
	}
	slices.Sort(rows)
	return "| metric | type | meaning |\n|---|---|---|\n" + strings.Join(rows, "")
}

// scopeOf is the longest of the scopes' prefixes that a figure has.
func scopeOf(name string) string {
	for _, prefix := range []string{"millrace_taskmanager_job_task_", "millrace_taskmanager_", "millrace_jobmanager_job_", "millrace_jobmanager_"} {
		if strings.HasPrefix(name, prefix) {
			return prefix
		}
	}
	return ""
}

// setGauges gives every gauge of a block a value: one without is not published.
func setGauges(block any) {
	v := reflect.ValueOf(block).Elem()
	for _, field := range v.Fields() {
		if !field.CanInterface() {
			continue
		}
		if g, ok := reflect.TypeAssert[*metrics.Gauge](field.Addr()); ok {
			g.Set(1)
		}
	}
}

// TestPagesSayWhatIsDeclared compares the pages with what they are generated from.
func TestPagesSayWhatIsDeclared(t *testing.T) {
	used := map[string]bool{}
	for _, p := range pages(t) {
		text := generate(t, p, used)
		if text == p.text {
			continue
		}
		if *rewrite {
			if err := os.WriteFile(p.path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s says something else than the code declares; go test ./docs -rewrite, and read the diff", p.name)
	}
	for name := range generators {
		if !used[name] {
			t.Errorf("no page has %q", name)
		}
	}
}

// generate returns the page with everything between marks made anew.
func generate(t *testing.T, p page, used map[string]bool) string {
	t.Helper()
	var b strings.Builder
	rest := p.text
	for {
		before, after, found := strings.Cut(rest, beginMark)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		name, after, _ := strings.Cut(after, " -->\n")
		_, after, closed := strings.Cut(after, endMark)
		generator, known := generators[name]
		if !known || !closed {
			t.Fatalf("%s: the generated part %q has no generator or no end", p.name, name)
		}
		used[name] = true
		fmt.Fprintf(&b, "%s%s -->\n\n%s\n%s", beginMark, name, generator(t), endMark)
		rest = after
	}
}

// withoutEffect lists the options of Flink's that are taken and mean nothing.
func withoutEffect() string {
	var out strings.Builder
	out.WriteString("| Option | Why it has no effect |\n|---|---|\n")
	for _, key := range physical.WithoutEffect() {
		why, _ := physical.NoEffect(key)
		fmt.Fprintf(&out, "| `%s` | %s |\n", key, why)
	}
	return out.String()
}
