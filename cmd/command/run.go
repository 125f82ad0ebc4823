package command

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/command/client"
	"millrace/cmd/command/config"
	"millrace/cmd/command/progress"
	"millrace/cmd/command/standalone"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/jobgraph"
	"millrace/jobgraph/codec"
	apiv1 "millrace/proto/millrace/api/v1"
)

// runFlags are what run is asked for beside the configuration.
type runFlags struct {
	cluster  string
	dryRun   bool
	detached bool
	output   string
	from     client.From
}

func newRun(a *app) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run FILE.sql | FILE.json",
		Short: "Run a SQL script or a job graph, on this machine or on a cluster, and wait for its end",
		Long: "Runs the statements of FILE.sql (see millrace sql), or submits the job graph in FILE.json, and shows what the jobs do until they end.\n" +
			"Without --cluster it runs a cluster in this process for as long as that takes. What is left open is taken from the configuration.",
		Args: exactly(1, "run FILE.sql|FILE.json [flags]"),
	}
	keys := clusterFlags(cmd)
	maps.Copy(keys, jobFlags(cmd, &f))
	cmd.Flags().StringVar(&f.cluster, "cluster", "", "address of the cluster to run on, or those of its job managers, separated by commas")
	if a.program != nil {
		cmd.Use = "run [FILE.sql | FILE.json | -- ARGUMENT...]"
		cmd.Short = "Run the program's job, a SQL script or a job graph, on this machine or on a cluster, and wait for its end"
		cmd.Long = "Without a file it runs the program's job, described with the arguments behind --.\n\n" + cmd.Long
		cmd.Args = fileOrProgram(a.name + " run [flags] [FILE.sql | FILE.json | -- ARGUMENT...]")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case a.program != nil && (len(args) == 0 || cmd.ArgsLenAtDash() == 0):
			return a.runProgram(cmd, args, f, keys)
		case strings.HasSuffix(args[0], ".sql"):
			return a.runScript(cmd, args[0], f, keys)
		default:
			return a.run(cmd, args[0], f, keys)
		}
	}
	return cmd
}

// jobFlags are those of commands that submit a job, with their keys.
func jobFlags(cmd *cobra.Command, f *runFlags) map[string]string {
	flags := cmd.Flags()
	flags.BoolVar(&f.dryRun, "dry-run", false, "only check the graph and say where its tasks would run")
	flags.BoolVar(&f.detached, "detached", false, "print the job's id and do not wait (with --cluster)")
	flags.Int("parallelism", 0, "parallelism, if the graph names none (default all slots)")
	flags.StringVarP(&f.from.Savepoint, "from-savepoint", "s", "", "start from this savepoint, or from this manifest of a checkpoint")
	flags.BoolVarP(&f.from.AllowNonRestored, "allow-non-restored-state", "n", false, "leave state behind for which the graph has no place")
	flags.SetNormalizeFunc(flinksNames)
	outputFlag(cmd, &f.output)
	return map[string]string{"parallelism": config.Parallelism}
}

// check refuses flags that have no meaning together, and makes the savepoint's place absolute.
func (f *runFlags) check() (err error) {
	if f.detached && f.cluster == "" {
		return failure.Message{Field: "--detached", Primary: "needs --cluster: without it the cluster ends with this command"}
	}
	if f.from.AllowNonRestored && f.from.Savepoint == "" {
		return failure.Message{Field: "--allow-non-restored-state", Primary: "needs --from-savepoint: without it the job starts without state"}
	}
	f.from.Savepoint, err = absolute(f.from.Savepoint)
	return err
}

func (a *app) run(cmd *cobra.Command, file string, f runFlags, keys map[string]string) error {
	c, err := a.load(cmd, keys)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	g, err := readGraph(file)
	if err != nil {
		return err
	}
	r := &graphRun{app: a, cmd: cmd, flags: f, what: "job graph " + file, graph: c.Complete(g)}
	return r.run(c)
}

// readGraph reads a graph file. What is wrong with it is the user's.
func readGraph(file string) (*jobgraph.Graph, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, failure.Userf("no file %s", file)
	}
	if err != nil {
		return nil, failure.Userf("read the job graph: %w", err)
	}
	g, err := codec.ParseJSON(text)
	if err != nil {
		return nil, fmt.Errorf("job graph %s: %w", file, err)
	}
	return g, nil
}

// graphRun is one run of a graph.
type graphRun struct {
	*app
	cmd    *cobra.Command
	flags  runFlags
	what   string // it is
	graph  *jobgraph.Graph
	client *client.Client
}

// run runs the graph where the flags say.
func (r *graphRun) run(c config.Config) (err error) {
	if r.flags.cluster == "" {
		return r.here(c)
	}
	if r.client, err = client.Dial(strings.Split(r.flags.cluster, ",")...); err != nil {
		return failure.User(err)
	}
	defer func() { _ = r.client.Close() }()
	return r.submit()
}

// here runs the graph on a cluster in this process.
func (r *graphRun) here(c config.Config) error {
	dir, remove, err := makeDir(c)
	if err != nil {
		return err
	}
	defer remove()
	s, err := r.standalone(r.cmd, c, standalone.Options{Dir: dir, Address: "127.0.0.1:0"}, slog.LevelError)
	if err != nil {
		return err
	}
	r.client, r.graph = s.Client(), config.WithBrokers(r.graph, s.Brokers())
	if !r.flags.dryRun {
		if err := s.CreateTopics(r.cmd.Context(), r.graph); err != nil {
			return errors.Join(err, s.Close())
		}
		fmt.Fprintf(r.cmd.ErrOrStderr(), "a cluster in this process: jobs %s, metrics http://%s/metrics\n", s.Address(), s.AdminAddress())
	}
	if err := awaitBuild(r.cmd.Context(), r.graph, s.Describe()); err != nil {
		return errors.Join(err, s.Close())
	}
	return errors.Join(r.submit(), s.Close())
}

// submit gives the graph to the cluster and waits as asked.
func (r *graphRun) submit() error {
	if r.flags.dryRun {
		return r.dry()
	}
	answer, err := r.client.SubmitFrom(r.cmd.Context(), r.graph, r.flags.from, false, rand.Text())
	if err != nil {
		return fmt.Errorf("%s: %w", r.what, err)
	}
	if err := writeFates(r.cmd.ErrOrStderr(), answer); err != nil {
		return err
	}
	if r.flags.detached {
		_, err := fmt.Fprintln(r.cmd.OutOrStdout(), answer.JobId)
		return err
	}
	fmt.Fprintf(r.cmd.ErrOrStderr(), "job %s: %s\n", answer.JobId, r.graph.Name)
	return r.await(answer.JobId)
}

// await shows the job until it ends, and returns an error if it did not end well.
func (r *graphRun) await(id string) error {
	screen := progress.NewScreen(r.cmd.ErrOrStderr())
	d, err := r.client.Await(r.cmd.Context(), id, screen.See)
	screen.Close()
	if err != nil {
		if errors.Is(err, context.Canceled) && r.flags.cluster != "" {
			fmt.Fprintf(r.cmd.ErrOrStderr(), "job %s goes on; millrace job watch %s --cluster %s\n", id, id, r.flags.cluster)
		}
		return err
	}
	if r.flags.output == outputJSON {
		err = writeMessage(r.cmd.OutOrStdout(), d, true)
	} else {
		err = writeOutcome(r.cmd.OutOrStdout(), d)
	}
	return errors.Join(err, client.Outcome(d))
}

// Task managers of a cluster in this process sign on while the graph is checked; a dry run looks until they have.
const (
	dryLook   = 100
	dryLookMS = 50
)

// dry asks where tasks would run.
func (r *graphRun) dry() error {
	for look := 1; ; look++ {
		answer, err := r.client.SubmitFrom(r.cmd.Context(), r.graph, r.flags.from, true, "")
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
		if r.flags.cluster != "" || placed(answer) || look == dryLook {
			return writePlan(r.cmd, r.flags.output == outputJSON, answer)
		}
		select {
		case <-r.cmd.Context().Done():
			return r.cmd.Context().Err()
		case <-clock.System().After(dryLookMS * 1e6):
		}
	}
}

func placed(answer *apiv1.SubmitJobResponse) bool {
	for _, p := range answer.Placements {
		if p.TaskManagerId == "" {
			return false
		}
	}
	return len(answer.Placements) > 0
}

// writePlan says what would run, and where.
func writePlan(cmd *cobra.Command, asJSON bool, answer *apiv1.SubmitJobResponse) error {
	w := cmd.OutOrStdout()
	if asJSON {
		return writeMessage(w, answer, true)
	}
	fmt.Fprintf(w, "%s\n\n", answer.Explanation)
	if err := writeFates(w, answer); err != nil {
		return err
	}
	rows := [][]string{{"VERTEX", "SUBTASK", "TASK MANAGER", "SLOT", "WHY"}}
	for _, p := range answer.Placements {
		on, slot := p.TaskManagerId, strconv.Itoa(int(p.Slot))
		if on == "" {
			on, slot = "-", "-"
		}
		rows = append(rows, []string{p.VertexId, strconv.Itoa(int(p.Subtask)), on, slot, p.Reason})
	}
	return table(w, rows...)
}
