package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"millrace/cmd/command/config"
	"millrace/cmd/command/standalone"
	"millrace/failure"
)

const (
	// localDir is where a local cluster keeps its data if nobody says.
	localDir = "millrace-data"
	// localCluster is the name of a local cluster, in one process or in many: a folder is at home in both.
	localCluster = "local"
)

// clusterFlags are those of commands that run a cluster, with their keys.
func clusterFlags(cmd *cobra.Command) map[string]string {
	flags := cmd.Flags()
	flags.String("broker", "", "Kafka brokers to use instead of one inside the process")
	flags.String("topics", "", "topics of the broker inside the process, separated by semicolons")
	flags.String("dir", "", "folder for state, checkpoints and topics")
	flags.String("admin-address", "", "where to serve metrics, profiles and reflection (default 127.0.0.1 and any free port)")
	flags.Int("task-managers", 0, "number of task managers (default 2)")
	flags.Int("slots", 0, "slots of each task manager (default 2)")
	flags.Bool("insecure-bind", false, "allow addresses beyond loopback, without encryption and authentication")
	flags.String("log-level", "", "debug, info, warn or error")
	return map[string]string{
		"broker": config.Brokers, "topics": config.EmbeddedTopics, "dir": config.WorkingDir, "admin-address": config.AdminAddress,
		"task-managers": config.TaskManagers, "slots": config.TaskSlots, "insecure-bind": config.InsecureBind,
		"log-level": config.LogLevel,
	}
}

func newLocal(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "local",
		Short: "Run a cluster on this machine until it is interrupted",
		Long: "Runs a whole cluster in this process: etcd, a Kafka broker unless --broker names others, a job manager and\n" +
			"task managers. It may be killed at any time; started again on the same folder, it goes on with its jobs.\n\n" +
			"With --processes each of them is a process of its own, started again when it dies; the broker stays in this one.",
		Args: exactly(0, "local [flags]"),
	}
	keys := clusterFlags(cmd)
	cmd.Flags().String("bind-address", "", "address to serve clients on (default 127.0.0.1)")
	cmd.Flags().Int("port", 0, "port to serve clients on (default 8081, 0 for any that is free)")
	cmd.Flags().Int("job-managers", 0, "number of job managers, one of which leads (default 1; more need --processes)")
	keys["bind-address"], keys["port"], keys["job-managers"] = config.BindAddress, config.Port, config.LocalJobManagers
	processes := cmd.Flags().Bool("processes", false, "run etcd, job managers and task managers as processes of their own")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.local(cmd, keys, *processes) }
	return cmd
}

func (a *app) local(cmd *cobra.Command, keys map[string]string, processes bool) error {
	c, err := a.load(cmd, keys)
	if err != nil {
		return err
	}
	dir := c.Text(config.WorkingDir)
	if dir == "" {
		dir = localDir
	}
	if processes {
		return a.localProcesses(cmd, c, dir)
	}
	if c.Int(config.LocalJobManagers) > 1 {
		return failure.User(failure.Message{
			Field: config.LocalJobManagers, Primary: "one process has one job manager", Hint: "give --processes, and each is a process of its own",
		})
	}
	address, err := c.ServeAddress()
	if err != nil {
		return err
	}
	s, err := a.standalone(cmd, c, standalone.Options{Dir: dir, Address: address, Durable: true}, slog.LevelInfo)
	if err != nil {
		return err
	}
	a.announce(cmd, s, dir)
	<-cmd.Context().Done()
	fmt.Fprintln(cmd.ErrOrStderr(), "ends")
	return s.Close()
}

// standalone starts a cluster with what the configuration says about it.
func (a *app) standalone(cmd *cobra.Command, c config.Config, o standalone.Options, level slog.Level) (*standalone.Standalone, error) {
	var err error
	if o.AdminAddress, err = c.AdminAddress(); err != nil {
		return nil, err
	}
	o.Config, o.Version, o.Program, o.Log = c, a.version, a.program, logger(cmd, c, level)
	for _, warning := range c.Warnings() {
		o.Log.Warn(warning)
	}
	s, err := standalone.Start(cmd.Context(), o)
	if err != nil && errors.Is(cmd.Context().Err(), context.Canceled) {
		return nil, context.Canceled
	}
	return s, err
}

// insideThisProcess says what there is to know of a broker of our own.
const insideThisProcess = " (inside this process; not durable)"

func (a *app) announce(cmd *cobra.Command, s *standalone.Standalone, dir string) {
	brokers := s.Brokers()
	if s.OwnsBroker() {
		brokers += insideThisProcess
	}
	a.announceCluster(cmd.OutOrStdout(), s.Address(), brokers, s.AdminAddress(), dir, func() {})
}

// announceCluster says where a local cluster is reached; more is said before the last line.
func (a *app) announceCluster(w io.Writer, jobs, brokers, admin, dir string, more func()) {
	fmt.Fprintf(w, "millrace %s: a local cluster\n", a.version)
	_ = table(w,
		[]string{"  jobs", jobs},
		[]string{"  kafka", brokers},
		[]string{"  metrics", "http://" + admin + "/metrics"},
		[]string{"  profiles", "http://" + admin + "/debug/pprof/"},
		[]string{"  folder", dir},
	)
	more()
	try := ownName + " run --cluster " + jobs + " FILE.json"
	if a.program != nil {
		try = a.name + " submit --cluster " + jobs
	}
	fmt.Fprintf(w, "try: %s; end it with ctrl-C\n", try)
}
