package sql_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"millrace/catalog"
	"millrace/catalog/memory"
	"millrace/cmd/command/client"
	"millrace/cmd/command/script"
	"millrace/connectors/collect"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/internal/testutil/matrix"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/sql/parser"
	"millrace/sql/session"
	"millrace/stream"
	"millrace/tests/sql/feed"
	"millrace/tests/sql/keep"
	"millrace/types"
)

// TestScripts runs every script of testdata: in all configurations, or in one that is drawn. README.md says how a script is written.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	random := matrix.Rand(t)
	for _, file := range files {
		all := suitable(t, file)
		if !matrix.All() {
			all = []configuration{all[random.IntN(len(all))]}
		}
		for _, c := range all {
			t.Run(strings.TrimSuffix(strings.TrimPrefix(file, "testdata/"), ".txt")+"/"+c.name, func(t *testing.T) { runScript(t, on(t, c), file) })
		}
	}
}

// suitable are the configurations for the mode that a script's query is for.
func suitable(t *testing.T, file string) []configuration {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "query" && words[0] != "insert" {
			continue
		}
		return slices.DeleteFunc(slices.Clone(configurations), func(c configuration) bool {
			return c.batch && slices.Contains(words, "streaming") || !c.batch && slices.Contains(words, "batch")
		})
	}
	return configurations
}

const (
	// patience is how long something may take that is to happen: long enough for a machine that is busy.
	patience = time.Minute
	again    = 5 * time.Millisecond
	interval = "20 ms" // between checkpoints
)

// scripts counts those that ran, so that each has logs of its own.
var scripts struct {
	sync.Mutex
	n int
}

// play is a script that is being run.
type play struct {
	*world
	name    string
	store   *memory.Store
	session *session.Session
	tables  map[string]*types.Schema // of feeds, by name
	query   *query
	ended   bool
}

func runScript(t *testing.T, w *world, file string) {
	p := newPlay(t, w)
	defer p.drop()
	datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string { return p.command(t, d) })
}

// newPlay begins a session.
func newPlay(t *testing.T, w *world) *play {
	t.Helper()
	scripts.Lock()
	scripts.n++
	p := &play{world: w, name: fmt.Sprintf("%s-%d", w.name, scripts.n), store: memory.New(), tables: make(map[string]*types.Schema)}
	scripts.Unlock()
	given := map[string]string{
		"parallelism.default": strconv.Itoa(w.parallelism), "execution.checkpointing.interval": interval, "pipeline.auto-watermark-interval": "1 ms",
	}
	if w.batch {
		given["execution.runtime-mode"] = "BATCH"
	}
	var err error
	if p.session, err = script.OpenSession(w.wiring.Catalog(), w.wiring.Functions, &jobgraph.SinkSpec{Connector: collect.Name}, given); err != nil {
		t.Fatal(err)
	}
	return p
}

// command carries out one command. What a configuration has no use for answers what is expected.
func (p *play) command(t *testing.T, d *datadriven.TestData) string {
	t.Helper()
	switch d.Cmd {
	case "run":
		return p.run(t, d.Input)
	case "query", "insert":
		p.begin(t, d)
		return ""
	case "feed":
		p.feed(t, d)
		return ""
	case "expect":
		if p.batch || p.query == nil {
			return d.Expected
		}
		return p.query.within(d.Expected, p.query.rows)
	case "table":
		if p.batch && !p.ended {
			return d.Expected
		}
		return p.table(d)
	case "end":
		if p.query == nil {
			return d.Expected
		}
		return p.end(t)
	default:
		t.Fatalf("%s: no command %q", d.Pos, d.Cmd)
		return ""
	}
}

// run executes statements and answers with what they say, errors included.
func (p *play) run(t *testing.T, text string) string {
	t.Helper()
	var b strings.Builder
	for _, s := range parser.ParseScript(text) {
		if s.Err != nil {
			fmt.Fprintf(&b, "error %v\n", s.Err)
			continue
		}
		o, err := p.execute(t, text, s)
		switch {
		case err != nil && failure.ClassOf(err).Domain != failure.DomainUser:
			t.Fatal(err)
		case err != nil:
			fmt.Fprintf(&b, "error %v\n", err)
		default:
			write(&b, o)
		}
	}
	return strings.ReplaceAll(b.String(), p.name+".", "") // names of logs, other ones each time
}

// write prints what a statement answers.
func write(b *strings.Builder, o session.Outcome) {
	switch o := o.(type) {
	case *session.Rows:
		for _, row := range o.Cells {
			b.WriteString(line(row) + "\n")
		}
	case *session.Text:
		b.WriteString(o.Text + "\n")
	}
}

// execute has the session execute a statement. Tables of feeds get logs.
func (p *play) execute(t *testing.T, text string, s parser.Parsed) (session.Outcome, error) {
	t.Helper()
	snapshot, err := p.store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o, err := p.session.Execute(snapshot, text, s.Statement)
	c, ok := o.(*session.Changes)
	if err != nil || !ok {
		return o, err
	}
	for _, change := range c.List {
		if made, ok := change.(*catalog.Create); ok {
			p.logged(made)
		}
	}
	return o, p.store.Apply(t.Context(), c.List...)
}

// logged says in the options of a table for tests where its rows are.
func (p *play) logged(c *catalog.Create) {
	table, ok := c.Object.(*catalog.Table)
	if !ok {
		return
	}
	name := p.name + "." + c.Path.Name
	switch table.Options["connector"] {
	case keep.Name:
		table.Options[keep.KeyTable] = name
		if len(table.PrimaryKey) > 0 {
			table.Options[keep.KeyKey] = strings.Join(table.PrimaryKey, ";")
		}
	case feed.Name:
		table.Options[feed.KeyLog] = name
		var fields []types.Field
		for _, column := range table.Columns {
			if column.Kind == catalog.Physical {
				fields = append(fields, types.Field{Name: column.Name, Type: column.Type})
			}
		}
		p.tables[c.Path.Name] = types.NewSchema(fields...)
	}
}

// begin starts the query, or the job of an insert, in batch mode when its input has ended.
func (p *play) begin(t *testing.T, d *datadriven.TestData) {
	t.Helper()
	if p.query != nil {
		t.Fatalf("%s: a script has one query", d.Pos)
	}
	if p.batch && d.HasArg("streaming") || !p.batch && d.HasArg("batch") {
		t.Skip("the query is not for this mode")
	}
	if err := p.plan(t, d.Input, d.HasArg("ordered")); err != nil {
		t.Fatalf("%s: %v", d.Pos, err)
	}
	if !p.batch {
		p.query.start(t)
	}
}

// plan makes a job of a query, and leaves it to be started.
func (p *play) plan(t *testing.T, text string, inOrder bool) error {
	t.Helper()
	parsed := parser.ParseScript(text)
	if len(parsed) != 1 || parsed[0].Err != nil {
		t.Fatalf("want one statement: %v", parsed)
	}
	o, err := p.execute(t, text, parsed[0])
	if err != nil {
		return err
	}
	job, ok := o.(*session.Job)
	if !ok {
		t.Fatalf("%T is no query", o)
	}
	job.Graph.Restart = jobgraph.RestartSpec{Strategy: jobgraph.RestartFixedDelay, Attempts: 1000, Delay: time.Millisecond}
	p.query = &query{client: p.client, job: job, inOrder: inOrder, done: make(chan struct{})}
	if job.Query != nil {
		p.query.texts, err = script.NewTexts(job.Query, p.wiring.Functions, kernel.Session{Zone: p.session.Location()})
	}
	return err
}

// feed gives rows to a table, and waits until a checkpoint holds what became of them.
func (p *play) feed(t *testing.T, d *datadriven.TestData) {
	t.Helper()
	name := d.CmdArgs[0].Key
	if p.tables[name] == nil {
		t.Fatalf("%s: no table %s of a feed", d.Pos, name)
	}
	p.put(t, name, d.Input)
	if p.batch || p.query == nil {
		return
	}
	p.settleAll(t, d.Pos)
	if p.crash {
		p.crashOne(t)
	}
}

// settleAll waits for a checkpoint behind all rows that were given to tables that the job reads.
func (p *play) settleAll(t *testing.T, what string) {
	t.Helper()
	p.until(t, what+": the rows are read", func() bool {
		for name := range p.tables {
			if log := p.logs.Log(p.name + "." + name); p.reads(name) && !log.Read() {
				return false
			}
		}
		return true
	})
	read := clock.System().Now()
	p.until(t, what+": a checkpoint behind them is complete", func() bool {
		c := p.query.describe(t).LastCheckpoint
		return c != nil && c.Triggered.AsTime().After(read)
	})
}

// reads tells whether the query reads a table.
func (p *play) reads(table string) bool {
	return slices.ContainsFunc(p.query.job.Graph.Vertices, func(v jobgraph.Vertex) bool {
		return v.Source != nil && v.Source.Options[feed.KeyLog] == p.name+"."+table
	})
}

// until waits for a condition.
func (p *play) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := clock.System().After(patience)
	for !is() {
		select {
		case <-deadline:
			t.Fatalf("not within %s: %s\n%v", patience, what, p.query.describe(t))
		case <-p.query.done:
			t.Fatalf("%s: the job has ended: %v", what, p.query.err)
		case <-clock.System().After(again):
		}
	}
}

// failedTask is what stands in front of a task's error: the ids of the job and of the task, which no two runs share.
var failedTask = regexp.MustCompile(`^job \S+ failed: task \S+: `)

// rowOfBatch is where a row stood in its batch, which goes by how large that was.
var rowOfBatch = regexp.MustCompile(`: row \d+: `)

// end closes all feeds and answers with the result.
func (p *play) end(t *testing.T) string {
	t.Helper()
	for name := range p.tables {
		p.logs.Log(p.name + "." + name).Close()
	}
	if p.batch {
		p.query.start(t)
	}
	select {
	case <-p.query.done:
	case <-clock.System().After(patience):
		t.Fatalf("the job has not ended within %s: %v", patience, p.query.describe(t))
	}
	p.ended = true
	if err := p.query.err; err != nil {
		return fmt.Sprintf("error %s\n", rowOfBatch.ReplaceAllString(failedTask.ReplaceAllString(err.Error(), ""), ": "))
	}
	return p.query.rows()
}

// table waits until a table that was written has the rows that are expected, and answers with what it has at last.
func (p *play) table(d *datadriven.TestData) string {
	table := p.kept.Table(p.name + "." + d.CmdArgs[0].Key)
	return p.query.within(d.Expected, func() string {
		rows, fault := table.Rows()
		if fault != nil {
			rows = append(rows, "error "+fault.Error())
		}
		return lines(rows)
	})
}

// drop ends a query that the script left.
func (p *play) drop() {
	if p.query == nil || p.query.cancel == nil {
		return
	}
	select {
	case <-p.query.done:
	default:
		_ = p.client.Cancel(context.Background(), p.query.id) // it may have ended by itself
		p.query.cancel()
		<-p.query.done
	}
}

// query is a query that runs, and what it has answered so far. An insert has no texts, and answers nothing.
type query struct {
	client  *client.Client
	job     *session.Job
	texts   *script.Texts
	inOrder bool
	id      string
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // once done
	mu      struct {
		sync.Mutex
		result []string
	}
}

func (q *query) start(t *testing.T) {
	t.Helper()
	answer, err := q.client.Submit(t.Context(), q.job.Graph, false, "")
	if err != nil {
		t.Fatal(err)
	}
	q.id = answer.JobId
	var ctx context.Context
	ctx, q.cancel = context.WithCancel(context.Background())
	go func() {
		defer close(q.done)
		d, err := q.await(ctx)
		q.err = err
		if err == nil {
			q.err = client.Outcome(d)
		}
	}()
}

// await takes what the query answers, until its job has ended.
func (q *query) await(ctx context.Context) (*apiv1.DescribeJobResponse, error) {
	if q.texts == nil {
		return q.client.Await(ctx, q.id, func(*apiv1.WatchJobResponse) error { return nil })
	}
	var pool stream.Pool
	return q.client.Results(ctx, q.id, &pool, func(_ types.CheckpointID, b *stream.Batch) error { return q.take(b) })
}

func (q *query) describe(t *testing.T) *apiv1.DescribeJobResponse {
	t.Helper()
	d, err := q.client.Describe(t.Context(), q.id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// take applies changes to the result. A row is taken back only if it is there.
func (q *query) take(b *stream.Batch) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.texts.Each(b, func(k stream.RowKind, cells []*string) error {
		row := line(cells)
		if k == stream.Insert || k == stream.UpdateAfter {
			q.mu.result = append(q.mu.result, row)
			return nil
		}
		// The newest one: rows that are equal are one another's.
		for i, v := range slices.Backward(q.mu.result) {
			if v == row {
				q.mu.result = slices.Delete(q.mu.result, i, i+1)
				return nil
			}
		}
		return errors.New(k.String() + " " + row + " takes back what is not there")
	})
}

// line prints a row.
func line(cells []*string) string {
	texts := make([]string, len(cells))
	for i, c := range cells {
		if texts[i] = "NULL"; c != nil {
			texts[i] = *c
		}
	}
	return strings.Join(texts, " | ")
}

// rows prints the result: sorted, unless its order counts.
func (q *query) rows() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	rows := slices.Clone(q.mu.result)
	if !q.inOrder {
		slices.Sort(rows)
	}
	return lines(rows)
}

func lines(rows []string) string {
	if len(rows) == 0 {
		return ""
	}
	return strings.Join(rows, "\n") + "\n"
}

// within asks until the answer is the wanted one, the job has ended, or patience is at its end, and returns the last answer.
func (q *query) within(want string, ask func() string) string {
	deadline := clock.System().After(patience)
	for ask() != want {
		select {
		case <-deadline:
			return ask()
		case <-q.done:
			return ask()
		case <-clock.System().After(again):
		}
	}
	return want
}
