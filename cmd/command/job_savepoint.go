package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"millrace/cmd/command/client"
	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
)

func newJobSavepoint(a *app) *cobra.Command {
	var output string
	cmd := a.onJob("savepoint", "Take a savepoint of a running job, which goes on, and print where it is", func(cmd *cobra.Command, c *client.Client, id string) error {
		s, err := c.Savepoint(cmd.Context(), id)
		if err != nil {
			return err
		}
		if output == outputJSON {
			return writeMessage(cmd.OutOrStdout(), s, true)
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), s.Path)
		return err
	})
	outputFlag(cmd, &output)
	return cmd
}

// awaitSavepoint waits for the end of a job that is being stopped and prints where the savepoint of its last checkpoint is.
func awaitSavepoint(cmd *cobra.Command, c *client.Client, id string) error {
	d, err := c.Await(cmd.Context(), id, func(*apiv1.WatchJobResponse) error { return nil })
	if err != nil {
		return err
	}
	for _, s := range d.Savepoints {
		if s.Stopped {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), s.Path)
			return err
		}
	}
	if err := client.Outcome(d); err != nil {
		return err
	}
	return failure.Externalf(failure.Never, "job %s came to its end by itself before it was stopped: there is no savepoint", id)
}
