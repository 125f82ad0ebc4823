package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"millrace/catalog/memory"
	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/cmd/command/config"
	"millrace/cmd/command/script"
	"millrace/cmd/command/standalone"
	"millrace/connectors/collect"
	"millrace/failure"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/sql/parser"
	"millrace/sql/session"
)

// sqlFlags are what a script is asked for beside the configuration.
type sqlFlags struct {
	file, text string
	cluster    string
	form       string
	// stay waits for the jobs of INSERT statements; a script on a cluster of its own always does.
	stay, dryRun bool
	// options are set before the first statement.
	options map[string]string
	// args are those of the program's job, whose functions statements may call.
	args []string
}

func newSQL(a *app) *cobra.Command {
	var f sqlFlags
	cmd := &cobra.Command{
		Use:   "sql",
		Short: "Run SQL, on this machine or on a cluster",
		Long: "Runs the statements of a file (-f), of the command line (-e) or of the standard input. Rows of queries go to the standard output,\n" +
			"what happens to jobs to the other. Without --cluster it runs a cluster in this process until all jobs have ended.\n\n" +
			"-D NAME=value gives ${NAME} in the text its value; other keys are those of the session (as SET has them) or of the configuration.",
		Args: exactly(0, "sql [-f FILE | -e TEXT] [flags]"),
	}
	if a.program != nil {
		cmd.Use, cmd.Args = "sql [flags] [-- ARGUMENT...]", cobra.ArbitraryArgs
		cmd.Long += "\n\nStatements may call the functions that the program's job has for SQL, whose arguments stand behind --, and name the program's connectors."
	}
	keys := clusterFlags(cmd)
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "file with the statements, - for the standard input")
	cmd.Flags().StringVarP(&f.text, "execute", "e", "", "the statements themselves")
	cmd.Flags().StringVar(&f.cluster, "cluster", "", "address of the cluster to run on, or those of its job managers, separated by commas")
	outputFlag(cmd, &f.form, outputCSV)
	cmd.Flags().Int("parallelism", 0, "parallelism of jobs that name none")
	keys["parallelism"] = config.Parallelism
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f.args = args
		return a.sql(cmd, f, keys)
	}
	return cmd
}

// runScript is the command run of a script: flags that are about the job become options of the session.
func (a *app) runScript(cmd *cobra.Command, file string, f runFlags, keys map[string]string) error {
	if err := f.check(); err != nil {
		return err
	}
	options := make(map[string]string)
	if f.from.Savepoint != "" {
		options[session.FromSavepoint] = f.from.Savepoint
		options[session.AllowNonRestored] = strconv.FormatBool(f.from.AllowNonRestored)
	}
	return a.sql(cmd, sqlFlags{
		file: file, cluster: f.cluster, form: f.output, stay: !f.detached, dryRun: f.dryRun, options: options,
	}, keys)
}

// sql runs a script.
func (a *app) sql(cmd *cobra.Command, f sqlFlags, keys map[string]string) error {
	text, err := readScript(cmd, f)
	if err != nil {
		return err
	}
	text, options, err := a.settle(text, cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	read, err := script.Read(text)
	if err != nil {
		return err
	}
	c, err := a.load(cmd, keys)
	if err != nil {
		return err
	}
	given := c.Masked()
	for _, key := range session.Spec.Keys() {
		if _, set := options[key]; !set && slices.Contains(config.Spec.Keys(), key) && c.IsGiven(key) {
			options[key] = given[key]
		}
	}
	maps.Copy(options, f.options)
	s := &sqlRun{app: a, cmd: cmd, flags: f, script: read, options: options, config: c, keys: keys}
	if f.cluster != "" {
		return s.there()
	}
	return s.here()
}

// readScript reads the text of a script.
func readScript(cmd *cobra.Command, f sqlFlags) (string, error) {
	from := cmd.InOrStdin()
	switch {
	case cmd.Flags().Changed("execute") && f.file != "":
		return "", failure.Message{Primary: "--file and --execute exclude one another"}
	case cmd.Flags().Changed("execute"):
		return f.text, nil
	case f.file != "" && f.file != "-":
		file, err := os.Open(f.file)
		if err != nil {
			return "", failure.Userf("read the script: %w", err)
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	// One byte more than the parser takes tells it that there is too much.
	text, err := io.ReadAll(io.LimitReader(from, parser.TextBytesMax+1))
	if err != nil {
		return "", failure.Userf("read the script: %w", err)
	}
	return string(text), nil
}

// settle takes from -D what is a variable of the text or an option of the session alone; the rest is the configuration's. What can be a variable
// only, and is none of this text, counts for nothing but a warning: one set of values does for many scripts.
func (a *app) settle(text string, warn io.Writer) (string, map[string]string, error) {
	variables, options := make(map[string]string), make(map[string]string)
	asked := script.Variables(text)
	var rest []string
	for _, given := range a.dynamic {
		key, value, _ := strings.Cut(given, "=")
		switch {
		case slices.Contains(asked, key):
			variables[key] = value
		case script.OnlyVariable(key):
			variables[key] = value
			fmt.Fprintf(warn, "warning: -D %s: the text has no ${%[1]s}\n", key)
		case slices.Contains(session.Spec.Keys(), key):
			options[key] = value
			if slices.Contains(config.Spec.Keys(), key) {
				rest = append(rest, given)
			}
		default:
			rest = append(rest, given)
		}
	}
	a.dynamic = rest
	text, err := script.Substitute(text, variables)
	return text, options, err
}

// sqlRun is one run of a script.
type sqlRun struct {
	*app
	cmd     *cobra.Command
	flags   sqlFlags
	script  script.Script
	options map[string]string
	config  config.Config
	keys    map[string]string
	calls   calls
}

// there runs the script on a cluster that is elsewhere.
func (s *sqlRun) there() error {
	c, err := client.Dial(strings.Split(s.flags.cluster, ",")...)
	if err != nil {
		return failure.User(err)
	}
	defer func() { _ = c.Close() }()
	return s.run(s.config.Text(config.Brokers), &script.Runner{
		Connect: func() (*client.Client, error) { return c, nil },
		Ready:   func(_ context.Context, g *jobgraph.Graph) (*jobgraph.Graph, error) { return s.config.Complete(g), nil },
	})
}

// here runs the script on a cluster in this process, which starts when the first statement has need of it.
func (s *sqlRun) here() (err error) {
	s.flags.stay = true
	c, err := s.roomy()
	if err != nil {
		return err
	}
	var local *standalone.Standalone
	var remove func()
	defer func() {
		if remove == nil {
			return
		}
		if local != nil {
			err = errors.Join(err, local.Close())
		}
		remove()
	}()
	return s.run(cmp.Or(c.Text(config.Brokers), brokersToBe), &script.Runner{
		Connect: func() (*client.Client, error) {
			var dir string
			if dir, remove, err = makeDir(c); err != nil {
				return nil, err
			}
			if local, err = s.standalone(s.cmd, c, standalone.Options{Dir: dir, Address: "127.0.0.1:0"}, slog.LevelError); err != nil {
				return nil, err
			}
			return local.Client(), nil
		},
		Ready: func(ctx context.Context, g *jobgraph.Graph) (*jobgraph.Graph, error) {
			g = config.WithBrokers(c.Complete(g), local.Brokers())
			if err := awaitBuild(ctx, g, local.Describe()); err != nil {
				return nil, err
			}
			if s.flags.dryRun {
				return g, nil
			}
			return g, local.CreateTopics(ctx, g)
		},
	})
}

// brokersToBe stands for the address of the broker inside the process, as long as there is none: plans only want to know that there is one.
const brokersToBe = "127.0.0.1:9092"

// roomy returns the configuration with slots for all jobs of the script at once, unless it says how many there are.
func (s *sqlRun) roomy() (config.Config, error) {
	jobs := s.script.Jobs()
	if jobs < 2 || s.config.IsGiven(config.TaskSlots) {
		return s.config, nil
	}
	slots := int(s.config.Int(config.TaskSlots))
	if n := s.config.Int(config.Parallelism); s.config.IsGiven(config.Parallelism) {
		slots = int(n)
	} else {
		s.options[config.Parallelism] = strconv.Itoa(slots * int(s.config.Int(config.TaskManagers)))
	}
	return s.loadWith(fmt.Sprintf("%s=%d", config.TaskSlots, min(slots*jobs, slotsMax)))
}

// slotsMax bounds the slots that a script gets without asking.
const slotsMax = 256

// loadWith reads the configuration again, with one key more.
func (s *sqlRun) loadWith(more string) (config.Config, error) {
	a := *s.app
	a.dynamic = append(slices.Clone(a.dynamic), more)
	return a.load(s.cmd, s.keys)
}

// run carries the script out by a runner that knows its cluster.
func (s *sqlRun) run(brokers string, r *script.Runner) (err error) {
	wiring := cluster.NewWiring(nil)
	functions, err := s.functions(wiring.Functions, s.flags.args)
	if err != nil {
		return err
	}
	if wiring.Connectors, err = s.connectors(wiring.Connectors); err != nil {
		return err
	}
	s.calls.owned(r)
	r.Session, err = script.OpenSession(
		config.KafkaDefaults(wiring.Catalog(), brokers), functions, &jobgraph.SinkSpec{Connector: collect.Name}, s.options,
	)
	if err != nil {
		return err
	}
	r.Catalogs, r.Form, r.Out, r.Err = memory.New(), script.Form(s.flags.form), s.cmd.OutOrStdout(), s.cmd.ErrOrStderr()
	r.Stay, r.DryRun = s.flags.stay, s.flags.dryRun
	r.Dry = func(answer *apiv1.SubmitJobResponse) error {
		return writePlan(s.cmd, s.flags.form == outputJSON, answer)
	}
	return r.Run(s.cmd.Context(), s.script)
}
