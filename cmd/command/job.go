package command

import (
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/command/client"
	"millrace/failure"
)

func newJob(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "job", Short: "Look at the jobs of a cluster, change and end them",
		RunE: onlyHelp,
	}
	cmd.PersistentFlags().String("cluster", "", clusterFlagDoc)
	cmd.AddCommand(newJobList(a), newJobShow(a), newJobCancel(a), newJobStop(a), newJobSavepoint(a), newJobRescale(a), newJobWatch(a))
	return cmd
}

const clusterFlagDoc = "address of the cluster, or those of its job managers, separated by commas (default rest.address and rest.port: 127.0.0.1:8081)"

// onlyHelp is what a command does that only has others below it.
func onlyHelp(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return failure.Message{Primary: "unknown command: " + cmd.Name() + " " + args[0], Hint: "millrace " + cmd.Name() + " --help lists them"}
	}
	return cmd.Help()
}

// dial connects to the cluster that the flag names, or else the configuration.
func (a *app) dial(cmd *cobra.Command) (*client.Client, error) {
	c, err := a.load(cmd, nil)
	if err != nil {
		return nil, err
	}
	address, err := cmd.Flags().GetString("cluster")
	if err != nil || address == "" {
		address = c.ClusterAddress()
	}
	out, err := client.Dial(strings.Split(address, ",")...)
	return out, failure.User(err)
}

// onJob is a command on one job.
func (a *app) onJob(use, short string, do func(cmd *cobra.Command, c *client.Client, id string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " ID", Short: short, Args: exactly(1, "job "+use+" ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			return do(cmd, c, args[0])
		},
	}
}
