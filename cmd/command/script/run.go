package script

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"millrace/catalog"
	"millrace/cmd/command/client"
	"millrace/cmd/command/progress"
	"millrace/expr/kernel"
	"millrace/failure"
	"millrace/formats"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/sql/ast"
	"millrace/sql/parser"
	"millrace/sql/session"
	"millrace/stream"
	"millrace/types"
)

// Runner carries a script out. Its fields are set before Run.
type Runner struct {
	Session *session.Session
	// Catalogs is where tables, views and functions are.
	Catalogs catalog.Store
	// Connect returns the cluster that jobs run on, when the first statement has need of it.
	Connect func() (*client.Client, error)
	// Ready makes a graph ready to be submitted: what it leaves open is filled in, and topics are there. Nil leaves it as it is.
	Ready func(context.Context, *jobgraph.Graph) (*jobgraph.Graph, error)
	Form  Form
	// Out takes answers, Err what happens.
	Out, Err io.Writer
	// Stay waits, at the end of the script, for the jobs that it started. Without it they go on.
	Stay bool
	// DryRun plans and checks every job and starts none.
	DryRun bool
	// Dry takes what the cluster says of a job that would run; nil for none.
	Dry func(*apiv1.SubmitJobResponse) error

	client  *client.Client // once it is connected
	started []started
}

// started is a job that the script does not wait for yet.
type started struct{ id, name string }

// Script is a text that was read.
type Script struct {
	Text       string
	Statements []ast.Statement
}

// Read parses a text. One with a statement that can't be read is refused as a whole: the error has all of them.
func Read(text string) (Script, error) {
	out := Script{Text: text}
	var unread []error
	for _, s := range parser.ParseScript(text) {
		if s.Err != nil {
			unread = append(unread, s.Err)
		}
		out.Statements = append(out.Statements, s.Statement)
	}
	return out, errors.Join(unread...)
}

// Jobs is how many jobs the script has at most.
func (s Script) Jobs() (n int) {
	for _, statement := range s.Statements {
		switch statement.(type) {
		case *ast.Query, *ast.Insert, *ast.StatementSet:
			n++
		}
	}
	return n
}

// Run carries out the statements of a script, one after the other, up to the first that fails.
func (r *Runner) Run(ctx context.Context, s Script) error {
	for _, statement := range s.Statements {
		if err := r.statement(ctx, s.Text, statement); err != nil {
			return errors.Join(r.stopped(ctx, err), err)
		}
	}
	return r.await(ctx)
}

// statement carries one statement out.
func (r *Runner) statement(ctx context.Context, text string, s ast.Statement) error {
	snapshot, err := r.Catalogs.Snapshot(ctx)
	if err != nil {
		return err
	}
	o, err := r.Session.Execute(snapshot, text, s)
	if err != nil {
		return err
	}
	return r.answer(ctx, o)
}

// stopped says what becomes of the jobs that were started before a statement failed.
func (r *Runner) stopped(ctx context.Context, err error) error {
	if len(r.started) == 0 || ctx.Err() != nil || !r.Stay {
		return nil
	}
	fmt.Fprintf(r.Err, "%s\nthe statements before it go on; ctrl-C ends them\n", err)
	return r.await(ctx)
}

func (r *Runner) answer(ctx context.Context, o session.Outcome) error {
	switch o := o.(type) {
	case *session.Done:
		if o.Warning != "" {
			fmt.Fprintln(r.Err, "warning: "+o.Warning)
		}
		return nil
	case *session.Changes:
		return r.Catalogs.Apply(ctx, o.List...)
	case *session.Text:
		return r.text(o.Text)
	case *session.Rows:
		return r.rows(o)
	case *session.Jobs, *session.Stop, *session.Job:
		return r.onCluster(ctx, o)
	default:
		return failure.Internalf("a statement came to %T", o)
	}
}

// onCluster carries out what needs a cluster.
func (r *Runner) onCluster(ctx context.Context, o session.Outcome) (err error) {
	if r.client == nil {
		if r.client, err = r.Connect(); err != nil {
			return err
		}
	}
	switch o := o.(type) {
	case *session.Jobs:
		return r.jobs(ctx, o.ID)
	case *session.Stop:
		return r.client.Stop(ctx, o.ID, o.Drain, o.Savepoint)
	case *session.Job:
		return r.job(ctx, o)
	default:
		return failure.Internalf("%T needs no cluster", o)
	}
}

// text writes an answer as it stands; as JSON it is an object with one field.
func (r *Runner) text(text string) error {
	if r.Form == JSON {
		text = `{"result":` + quotedJSON(text) + "}"
	}
	_, err := fmt.Fprintln(r.Out, strings.TrimSuffix(text, "\n"))
	return err
}

func (r *Runner) rows(rows *session.Rows) error {
	fields := make([]types.Field, len(rows.Columns))
	for i, name := range rows.Columns {
		fields[i] = types.Field{Name: name, Type: types.StringType()}
	}
	columns := types.NewSchema(fields...)
	a, err := newAnswer(r.Form, r.Out, columns, false, r.Session.Functions, kernel.Session{})
	if err != nil {
		return err
	}
	var pool stream.Pool
	out := formats.NewRows(&pool, columns, len(rows.Cells))
	for _, row := range rows.Cells {
		for i, cell := range row {
			if cell == nil {
				out.Columns[i].AppendNull()
			} else {
				out.Columns[i].AppendString(*cell)
			}
		}
	}
	b := out.Finish()
	defer b.Release()
	if err := a.batch(b); err != nil {
		return err
	}
	return a.Close()
}

// jobs lists the jobs of the cluster, or one.
func (r *Runner) jobs(ctx context.Context, id string) error {
	all, err := r.client.List(ctx)
	if err != nil {
		return err
	}
	out := &session.Rows{Columns: []string{"job id", "job name", "status", "start time"}}
	for _, j := range all {
		if id != "" && j.JobId != id {
			continue
		}
		state := progress.StateName(j.State)
		started := j.GetSubmitted().AsTime().UTC().Format("2006-01-02 15:04:05.000")
		out.Cells = append(out.Cells, []*string{&j.JobId, &j.Name, &state, &started})
	}
	if id != "" && len(out.Cells) == 0 {
		return failure.User(failure.Message{Primary: "there is no job " + id, Hint: "SHOW JOBS lists them"})
	}
	return r.rows(out)
}

// job runs a job: a query to its end, and what writes tables as far as the session says.
func (r *Runner) job(ctx context.Context, j *session.Job) error {
	for _, w := range j.Warnings {
		fmt.Fprintf(r.Err, "warning: %s\n", w)
	}
	g := j.Graph
	if r.Ready != nil {
		var err error
		if g, err = r.Ready(ctx, g); err != nil {
			return err
		}
	}
	from := client.From{Savepoint: j.From, AllowNonRestored: j.AllowNonRestored}
	answer, err := r.client.SubmitFrom(ctx, g, from, r.DryRun, rand.Text())
	switch {
	case err != nil:
		return err
	case r.DryRun:
		if r.Dry == nil {
			return nil
		}
		return r.Dry(answer)
	case j.Query != nil:
		return r.query(ctx, answer.JobId, j)
	}
	fmt.Fprintf(r.Err, "job %s: %s\n", answer.JobId, g.Name)
	if j.Await {
		return r.end(ctx, started{answer.JobId, g.Name})
	}
	r.started = append(r.started, started{answer.JobId, g.Name})
	return nil
}

// query writes the rows of a query until it ends. If nobody wants them any longer, its job goes too.
func (r *Runner) query(ctx context.Context, id string, j *session.Job) error {
	a, err := newAnswer(r.Form, r.Out, j.Query, !j.Appends(), r.Session.Functions, kernel.Session{Zone: r.Session.Location()})
	if err != nil {
		return errors.Join(err, r.drop(ctx, id))
	}
	defer r.troubles(ctx, id)()
	var pool stream.Pool
	d, err := r.client.Results(ctx, id, &pool, func(_ types.CheckpointID, b *stream.Batch) error { return a.batch(b) })
	if err != nil {
		return errors.Join(err, r.drop(ctx, id))
	}
	return errors.Join(a.Close(), client.Outcome(d))
}

// troubles tells why a query has no rows, as long as what it returns is not called: that its job waits, or fails and begins again.
func (r *Runner) troubles(ctx context.Context, id string) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	said := ""
	say := func(format, what string) {
		if what != "" && what != said {
			fmt.Fprintf(r.Err, format+"\n", what)
		}
		said = what
	}
	done.Go(func() {
		_, _ = r.client.Await(ctx, id, func(e *apiv1.WatchJobResponse) error { // the query itself says how it ends
			switch e := e.Event.(type) {
			case *apiv1.WatchJobResponse_Restarted:
				say("the query restarts: %s", e.Restarted.Reason)
			case *apiv1.WatchJobResponse_Progress:
				say("the query has trouble: %s", e.Progress.Trouble)
			case *apiv1.WatchJobResponse_State:
				if e.State.State == apiv1.JobState_JOB_STATE_WAITING_FOR_RESOURCES {
					say("the query waits: %s", e.State.Reason)
				}
			}
			return nil
		})
	})
	return func() {
		cancel()
		done.Wait()
	}
}

// drop cancels the job of a query.
func (r *Runner) drop(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	if err := r.client.Cancel(ctx, id); err != nil {
		return fmt.Errorf("cancel the job of the query, %s: %w", id, err)
	}
	return nil
}

// await waits for what was started, where the script is to.
func (r *Runner) await(ctx context.Context) error {
	if !r.Stay {
		return nil
	}
	var errs []error
	for _, j := range r.started {
		errs = append(errs, r.end(ctx, j))
	}
	r.started = nil
	return errors.Join(errs...)
}

// end waits for the end of a job, and shows what it does.
func (r *Runner) end(ctx context.Context, j started) error {
	screen := progress.NewScreen(r.Err)
	d, err := r.client.Await(ctx, j.id, screen.See)
	screen.Close()
	if err != nil {
		return err
	}
	return client.Outcome(d)
}

// quotedJSON returns a text as JSON has it. Any text has such a form.
func quotedJSON(text string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // of a string, into memory
	return strings.TrimSuffix(b.String(), "\n")
}
