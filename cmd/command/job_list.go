package command

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/timestamppb"

	"millrace/cmd/command/progress"
	apiv1 "millrace/proto/millrace/api/v1"
)

func newJobList(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "list", Short: "List the jobs, the oldest first", Args: exactly(0, "job list"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			jobs, err := c.List(cmd.Context())
			if err != nil {
				return err
			}
			if output == outputJSON {
				return writeMessage(cmd.OutOrStdout(), &apiv1.ListJobsResponse{Jobs: jobs}, true)
			}
			rows := [][]string{{"ID", "NAME", "STATE", "SUBMITTED", "ENDED", "RESTARTS"}}
			for _, j := range jobs {
				rows = append(rows, []string{
					j.JobId, j.Name, progress.StateName(j.State), moment(j.Submitted), moment(j.Ended), strconv.Itoa(int(j.Restarts)),
				})
			}
			return table(cmd.OutOrStdout(), rows...)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// moment prints a time where the user is, or a dash for none.
func moment(t *timestamppb.Timestamp) string {
	if t == nil {
		return "-"
	}
	return t.AsTime().Local().Format(time.DateTime)
}
