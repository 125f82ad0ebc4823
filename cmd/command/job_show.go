package command

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/command/client"
	"millrace/cmd/command/progress"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
)

func newJobShow(a *app) *cobra.Command {
	var output string
	cmd := a.onJob("show", "Show everything about a job", func(cmd *cobra.Command, c *client.Client, id string) error {
		d, err := c.Describe(cmd.Context(), id)
		if err != nil {
			return err
		}
		if output == outputJSON {
			return writeMessage(cmd.OutOrStdout(), d, true)
		}
		return writeJob(cmd.OutOrStdout(), d)
	})
	outputFlag(cmd, &output)
	return cmd
}

// writeJob writes what is known of a job: what it is, how it goes, and its tasks.
func writeJob(w io.Writer, d *apiv1.DescribeJobResponse) error {
	if err := writeOutcome(w, d); err != nil {
		return err
	}
	if d.Explanation != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimRight(d.Explanation, "\n"))
	}
	if len(d.Tasks) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	rows := [][]string{{"VERTEX", "SUBTASK", "STATE", "ON", "IN", "OUT", "LATE", "TROUBLE"}}
	for _, t := range d.Tasks {
		p := t.GetProgress()
		rows = append(rows, []string{
			t.VertexId, strconv.Itoa(int(t.Subtask)), strings.TrimPrefix(t.State.String(), "TASK_STATE_"),
			fmt.Sprintf("%s/%d", t.TaskManagerId, t.Slot), progress.Count(float64(p.GetRecordsIn())),
			progress.Count(float64(p.GetRecordsOut())), strconv.FormatInt(p.GetLate(), 10), p.GetTrouble(),
		})
	}
	return table(w, rows...)
}

// writeOutcome writes how a job goes or went.
func writeOutcome(w io.Writer, d *apiv1.DescribeJobResponse) error {
	s := d.Summary
	rows := [][]string{
		{"job", s.JobId},
		{"name", s.Name},
		{"state", progress.StateName(s.State)},
		{"submitted", moment(s.Submitted)},
		{"ended", moment(s.Ended)},
		{"attempt", strconv.FormatUint(d.Attempt, 10)},
		{"restarts", strconv.Itoa(int(s.Restarts))},
		{"checkpoints", fmt.Sprintf("%d completed, %d failed", d.CheckpointsCompleted, d.CheckpointsFailed)},
	}
	add := func(name, value string) {
		if value != "" {
			rows = append(rows, []string{name, value})
		}
	}
	if p := d.Program; p != nil {
		add("program", strings.TrimSpace(p.Name+" "+p.Version)+", build "+scheduler.ShortBuild(p.Build))
	}
	if c := d.LastCheckpoint; c != nil {
		add("last checkpoint", lastCheckpoint(c))
	}
	for _, s := range d.Savepoints {
		add("savepoint", s.Path)
	}
	add("restored from", d.RestoredFrom)
	add("checkpoint failure", d.LastCheckpointFailure)
	add("waiting for", d.WaitingFor)
	add("failure", s.Failure)
	for _, text := range d.LedgerDiscrepancies {
		add("rows unaccounted for", text)
	}
	for _, text := range d.DamagedFiles {
		add("damaged", text)
	}
	add("taken over", d.Takeover)
	for _, r := range d.RecentRescales {
		add("rescaled", r)
	}
	for _, f := range d.RecentFailures {
		add("failed before", f)
	}
	return table(w, rows...)
}

// lastCheckpoint leaves out what is not known of a checkpoint that was completed under another leader.
func lastCheckpoint(c *apiv1.CheckpointDescription) string {
	text := strconv.FormatUint(c.CheckpointId, 10)
	if c.DurationMillis > 0 || c.WrittenBytes > 0 {
		text += fmt.Sprintf(": %d ms, %s written, %s of state", c.DurationMillis, progress.Bytes(c.WrittenBytes), progress.Bytes(c.StateBytes))
	}
	if c.UnalignedTasks > 0 {
		text += fmt.Sprintf(", unaligned in %d tasks with %s in flight", c.UnalignedTasks, progress.Bytes(c.InFlightBytes))
	}
	if c.AlignmentMillis > 0 {
		text += fmt.Sprintf(", aligned for %d ms", c.AlignmentMillis)
	}
	if c.Triggered != nil {
		text += ", at " + moment(c.Triggered)
	}
	return text
}
