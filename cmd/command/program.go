package command

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"millrace/cmd/cluster"
	"millrace/cmd/command/config"
	"millrace/failure"
	"millrace/internal/clock"
	"millrace/jobgraph"
	apiv1 "millrace/proto/millrace/api/v1"
)

func newSubmit(a *app) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "submit [-- ARGUMENT...]",
		Short: "Submit the program's job to a cluster, and wait for its end",
		Long: "Describes the job with the arguments behind --, and submits it to a cluster that has task managers of this very executable\n" +
			"(" + a.name + " taskmanager). What is left open is taken from the configuration. Without --detached it shows what the job does until it ends.",
		Args: behindDash(a.name + " submit [flags] [-- ARGUMENT...]"),
	}
	keys := jobFlags(cmd, &f)
	cmd.Flags().StringVar(&f.cluster, "cluster", "", clusterFlagDoc)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.load(cmd, keys)
		if err != nil {
			return err
		}
		if f.cluster == "" {
			f.cluster = c.ClusterAddress()
		}
		return a.runProgram(cmd, args, f, keys)
	}
	return cmd
}

func newExplain(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "explain [-- ARGUMENT...]", Short: "Describe the program's job, and print what it is made of",
		Args: behindDash(a.name + " explain [-- ARGUMENT...]"),
	}
	cmd.Flags().Int("parallelism", 0, "parallelism, if the job names none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.load(cmd, map[string]string{"parallelism": config.Parallelism})
		if err != nil {
			return err
		}
		g, err := a.describe(args)
		if err != nil {
			return err
		}
		g = c.Complete(g)
		if err := jobgraph.Validate(g, cluster.NewWiring(nil).Known()); err != nil {
			return fmt.Errorf("job of %s: %w", a.name, err)
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), jobgraph.Explain(g))
		return err
	}
	return cmd
}

// behindDash is the check of a command whose arguments are the program's, and stand behind --.
func behindDash(usage string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if dash := cmd.ArgsLenAtDash(); len(args) == 0 || dash == 0 {
			return nil
		}
		return failure.Message{Primary: args[0] + " is no argument of this command's", Hint: "usage: " + usage}
	}
}

// fileOrProgram is the check of a run that may do without a file.
func fileOrProgram(usage string) cobra.PositionalArgs {
	own := behindDash(usage)
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && cmd.ArgsLenAtDash() < 0 {
			return nil
		}
		return own(cmd, args)
	}
}

// describe has the program describe its job. It is the user's code: what it throws is the user's to mend.
func (a *app) describe(args []string) (*jobgraph.Graph, error) {
	g, _, err := a.describeWith(args)
	return g, err
}

// runProgram runs the program's job, on a cluster in this process or on another.
func (a *app) runProgram(cmd *cobra.Command, args []string, f runFlags, keys map[string]string) error {
	c, err := a.load(cmd, keys)
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	g, err := a.describe(args)
	if err != nil {
		return err
	}
	r := &graphRun{app: a, cmd: cmd, flags: f, what: "job of " + a.name, graph: c.Complete(g)}
	return r.run(c)
}

// awaitBuild waits until a task manager of a cluster in this process is there that carries the program: they sign on beside.
func awaitBuild(ctx context.Context, g *jobgraph.Graph, of apiv1.ClusterServiceClient) error {
	if !g.Natives() {
		return nil
	}
	for range dryLook {
		d, err := of.DescribeCluster(ctx, &apiv1.DescribeClusterRequest{})
		if err != nil && status.Code(err) != codes.Unavailable { // nobody leads yet
			return err
		}
		for _, tm := range d.GetTaskManagers() {
			if slices.Contains(tm.Builds, g.Program.Build) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-clock.System().After(dryLookMS * 1e6):
		}
	}
	return nil // the submit says what is missing
}
