package command

import (
	"errors"

	"github.com/spf13/cobra"

	"millrace/cmd/command/client"
	"millrace/cmd/command/progress"
	apiv1 "millrace/proto/millrace/api/v1"
)

func newJobWatch(a *app) *cobra.Command {
	var output string
	cmd := a.onJob("watch", "Show what a job does until it ends", func(cmd *cobra.Command, c *client.Client, id string) error {
		if output == outputJSON {
			d, err := c.Await(cmd.Context(), id, func(e *apiv1.WatchJobResponse) error {
				return writeMessage(cmd.OutOrStdout(), e, false)
			})
			if err != nil {
				return err
			}
			return client.Outcome(d)
		}
		screen := progress.NewScreen(cmd.OutOrStdout())
		d, err := c.Await(cmd.Context(), id, screen.See)
		screen.Close()
		if err != nil {
			return err
		}
		return errors.Join(writeOutcome(cmd.OutOrStdout(), d), client.Outcome(d))
	})
	outputFlag(cmd, &output)
	return cmd
}
