package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/command/config"
	"millrace/failure"
	"millrace/sql/parser"
	"millrace/taskmanager"
)

// app is what the commands of one invocation share.
type app struct {
	name    string // of the executable
	version string // of the engine
	environ []string
	program taskmanager.Program // nil: the executable has none

	configFile string
	dynamic    []string
	// started tells that flags and arguments were understood and a command runs.
	started bool
}

// configVariable names the configuration file where --config does not.
const configVariable = config.EnvPrefix + "CONFIG"

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   a.name,
		Short: "Streams to tables to streams: a distributed stream engine",
		Long: "millrace runs stream jobs with the guarantees of Apache Flink.\n\n" +
			"Begin with: millrace demo",
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRun: func(*cobra.Command, []string) { a.started = true },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.configFile, "config", "", "YAML file with the configuration (or "+configVariable+")")
	flags.StringArrayVarP(&a.dynamic, "define", "D", nil, "a key of the configuration: -D parallelism.default=4")
	root.AddCommand(newLocal(a), newJobManager(a), newTaskManager(a), newRun(a), newSQL(a), newJob(a), newCluster(a), newDemo(a), newConfig(a), newState(a),
		newVersion(a), newEtcd(a))
	if a.program != nil {
		root.AddCommand(newSubmit(a), newExplain(a))
		root.Short = "A program with stream jobs of its own, and a millrace binary"
		root.Long = a.name + " describes stream jobs, has their functions, and does whatever millrace does.\n\n" +
			"Begin with: " + a.name + " run, which runs its job on a cluster in this process"
	}
	return root
}

// load reads the configuration; keys has the key of each flag of the command that stands for one.
func (a *app) load(cmd *cobra.Command, keys map[string]string) (config.Config, error) {
	file := a.configFile
	for _, variable := range a.environ {
		if path, ok := strings.CutPrefix(variable, configVariable+"="); ok && file == "" {
			file = path
		}
	}
	return config.Load(config.Sources{File: file, Environ: a.environ, Flags: cmd.Flags(), Keys: keys, Dynamic: a.dynamic})
}

// logger returns a log on the command's error output at the level of the configuration, or at the command's own.
func logger(cmd *cobra.Command, c config.Config, own slog.Level) *slog.Logger {
	level := own
	if name := c.Text(config.LogLevel); name != "" {
		_ = level.UnmarshalText([]byte(name)) // checked with the configuration
	}
	return slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
}

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUser        = 2
	exitInterrupted = 130
)

// report says what went wrong and returns the exit code.
func (a *app) report(w io.Writer, err error) int {
	var problems *failure.Problems
	if each := texts(err); each != nil {
		for _, e := range each {
			writeText(w, e)
		}
		return exitUser
	}
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(w, "%s: interrupted\n", a.name)
		return exitInterrupted
	case errors.As(err, &problems) && problems.Len() > 1:
		fmt.Fprintf(w, "%s: %s\n", a.name, headline(err, problems))
		for line := range strings.Lines(body(problems)) {
			fmt.Fprint(w, line)
		}
		fmt.Fprintln(w)
	default:
		fmt.Fprintf(w, "%s: %s\n", a.name, strings.ReplaceAll(err.Error(), "; hint: ", "\n  hint: "))
	}
	if !a.started || failure.ClassOf(err).Domain == failure.DomainUser {
		return exitUser
	}
	return exitFailed
}

// texts returns the errors of a script, if err is nothing else.
func texts(err error) (all []*parser.Error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			one := texts(e)
			if one == nil {
				return nil
			}
			all = append(all, one...)
		}
		return all
	}
	if e, ok := errors.AsType[*parser.Error](err); ok {
		return []*parser.Error{e}
	}
	return nil
}

// writeText writes what is wrong with a statement: the message, the line with a mark below the place, and what to do.
func writeText(w io.Writer, e *parser.Error) {
	m := e.Message
	m.Hint = ""
	fmt.Fprintf(w, "millrace: %s\n", m.Error())
	if m.Position.IsSet() {
		fmt.Fprintf(w, "  %s\n  %s^\n", e.Line, strings.Repeat(" ", e.Caret))
	}
	if e.Message.Hint != "" {
		fmt.Fprintf(w, "  hint: %s\n", e.Message.Hint)
	}
}

// headline is the text of err up to its problems, with their number.
func headline(err error, problems *failure.Problems) string {
	before, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(before, ":")
}

// body is the problems, one on a line.
func body(problems *failure.Problems) string {
	_, lines, _ := strings.Cut(problems.Error(), "\n")
	return lines
}

// exactly is the check of a command that takes n arguments.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == n {
			return nil
		}
		return failure.Message{Primary: fmt.Sprintf("%d arguments, %d expected", len(args), n), Hint: "usage: " + cmd.Root().Name() + " " + what}
	}
}

// makeDir returns a folder for a cluster that is not to outlive the command, and what removes it; or the configured one.
func makeDir(c config.Config) (dir string, remove func(), err error) {
	if dir = c.Text(config.WorkingDir); dir != "" {
		return dir, func() {}, nil
	}
	if dir, err = os.MkdirTemp("", "millrace-"); err != nil {
		return "", nil, fmt.Errorf("make a working folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
