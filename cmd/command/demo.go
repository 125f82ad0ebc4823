package command

import (
	"log/slog"

	"github.com/spf13/cobra"

	"millrace/cmd/command/standalone"
	"millrace/cmd/demo"
)

func newDemo(a *app) *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run the main job through the loss of a task manager, and verify its result",
		Long: "Generates bids into a Kafka topic, counts them per auction and ten seconds exactly once into another, ends a task\n" +
			"manager without goodbye in the middle, and compares every window with figures computed directly from the input.",
		Args: exactly(0, "demo [flags]"),
	}
	keys := clusterFlags(cmd)
	cmd.Flags().Int64Var(&o.Bids, "bids", demo.DefaultBids, "about how many bids to generate")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return a.demo(cmd, o, keys) }
	return cmd
}

func (a *app) demo(cmd *cobra.Command, o demo.Options, keys map[string]string) error {
	c, err := a.load(cmd, keys)
	if err != nil {
		return err
	}
	dir, remove, err := makeDir(c)
	if err != nil {
		return err
	}
	defer remove()
	s, err := a.standalone(cmd, c, standalone.Options{Dir: dir, Address: "127.0.0.1:0"}, slog.LevelError)
	if err != nil {
		return err
	}
	o.Out, o.Cluster = cmd.OutOrStdout(), s
	err = demo.Run(cmd.Context(), o)
	if closing := s.Close(); err == nil {
		err = closing
	}
	return err
}
