package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"millrace/cmd/command/client"
)

func newJobCancel(a *app) *cobra.Command {
	return a.onJob("cancel", "End a job without a last checkpoint", func(cmd *cobra.Command, c *client.Client, id string) error {
		if err := c.Cancel(cmd.Context(), id); err != nil {
			return err
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "job %s is being cancelled\n", id)
		return err
	})
}

func newJobStop(a *app) *cobra.Command {
	var drain, savepoint bool
	cmd := a.onJob("stop", "End a job behind a last checkpoint whose output is committed", func(cmd *cobra.Command, c *client.Client, id string) error {
		if err := c.Stop(cmd.Context(), id, drain, savepoint); err != nil {
			return err
		}
		if savepoint {
			return awaitSavepoint(cmd, c, id)
		}
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "job %s is being stopped\n", id)
		return err
	})
	cmd.Flags().BoolVar(&drain, "drain", false, "let open windows fire first: the job can't be resumed as if nothing had happened")
	cmd.Flags().BoolVar(&savepoint, "savepoint", false, "make a savepoint of the last checkpoint, wait for the end and print where it is")
	return cmd
}
