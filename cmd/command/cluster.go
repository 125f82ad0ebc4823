package command

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/command/progress"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/scheduler"
)

func newCluster(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "cluster", Short: "Look at a cluster",
		RunE: onlyHelp,
	}
	cmd.PersistentFlags().String("cluster", "", clusterFlagDoc)
	cmd.AddCommand(newClusterStatus(a))
	return cmd
}

func newClusterStatus(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "status", Short: "Show the leader, the task managers with their slots, and what jobs wait for", Args: exactly(0, "cluster status"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.dial(cmd)
			if err != nil {
				return err
			}
			defer func() { _ = c.Close() }()
			d, err := c.Cluster(cmd.Context())
			if err != nil {
				return err
			}
			if output == outputJSON {
				return writeMessage(cmd.OutOrStdout(), d, true)
			}
			return writeCluster(cmd.OutOrStdout(), d)
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

func writeCluster(w io.Writer, d *apiv1.DescribeClusterResponse) error {
	slots, free := 0, 0
	programs := slices.ContainsFunc(d.TaskManagers, func(tm *apiv1.TaskManagerDescription) bool { return len(tm.Builds) > 0 })
	rows := [][]string{{"TASK MANAGER", "SLOTS", "FREE", "STATE A SLOT", "SINCE", "LABELS", "STATUS"}}
	if programs {
		rows[0] = append(rows[0], "CARRIES")
	}
	for _, tm := range d.TaskManagers {
		own := 0
		for _, job := range tm.Slots {
			if job == "" {
				own++
			}
		}
		slots, free = slots+len(tm.Slots), free+own
		state := "connected"
		switch {
		case tm.Trouble != "":
			state = tm.Trouble
		case tm.Leaving:
			state = "about to leave"
		case tm.Exclusive != "":
			state = "job " + tm.Exclusive + "'s alone"
		}
		row := []string{
			tm.TaskManagerId, strconv.Itoa(len(tm.Slots)), strconv.Itoa(own), slotState(tm.SlotStateBytes), moment(tm.Joined), labels(tm.Labels), state,
		}
		if programs {
			row = append(row, scheduler.ShortBuilds(tm.Builds))
		}
		rows = append(rows, row)
	}
	err := table(w,
		[]string{"cluster", d.Cluster},
		[]string{"leader", fmt.Sprintf("%s, term %d, since %s", d.Leader, d.Term, moment(d.Since))},
		[]string{"version", d.Version},
		[]string{"slots", fmt.Sprintf("%d, %d free", slots, free)},
	)
	if err != nil {
		return err
	}
	if len(d.TaskManagers) > 0 {
		fmt.Fprintln(w)
		if err := table(w, rows...); err != nil {
			return err
		}
	}
	if len(d.Waiting) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	rows = [][]string{{"WAITING JOB", "NAME", "FOR"}}
	for _, j := range d.Waiting {
		rows = append(rows, []string{j.JobId, j.Name, j.Reason})
	}
	return table(w, rows...)
}

// slotState says what the state in a slot may take.
func slotState(bytesMax int64) string {
	if bytesMax == 0 {
		return "no bound"
	}
	return "at most " + progress.Bytes(bytesMax)
}

func labels(all map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, k+"="+all[k])
	}
	return strings.Join(out, ",")
}
