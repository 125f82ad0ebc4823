package command

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"millrace/cmd/command/inspect"
	"millrace/cmd/command/progress"
	"millrace/statebackend/columnar/rows"
)

func newState(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "state", Short: "Look into savepoints and checkpoints, without a cluster",
		Long: "Reads a savepoint, by its folder, or a checkpoint, by its manifest, where it is: below a folder, or in s3://bucket/prefix.\n" +
			"A path that begins with the job's id is below execution.checkpointing.dir. Nothing is changed.",
		RunE: onlyHelp,
	}
	cmd.AddCommand(newStateInspect(a), newStateQuery(a))
	return cmd
}

// openState opens what the argument of a command names.
func (a *app) openState(cmd *cobra.Command, location string) (*inspect.Source, error) {
	c, err := a.load(cmd, nil)
	if err != nil {
		return nil, err
	}
	place, err := c.CheckpointPlace()
	if err != nil {
		return nil, err
	}
	return inspect.Open(cmd.Context(), location, place)
}

func newStateInspect(a *app) *cobra.Command {
	var asJSON, verify bool
	cmd := &cobra.Command{
		Use: "inspect PATH", Short: "Say what is in a savepoint or checkpoint", Args: exactly(1, "state inspect PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openState(cmd, args[0])
			if err != nil {
				return err
			}
			defer func() { _ = s.Close() }()
			if verify {
				if err := s.Verify(cmd.Context()); err != nil {
					return err
				}
			}
			summary, err := s.Summary(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				out := json.NewEncoder(cmd.OutOrStdout())
				out.SetIndent("", "  ")
				return out.Encode(summary)
			}
			return writeSummary(cmd.OutOrStdout(), summary)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON, with every position")
	cmd.Flags().BoolVar(&verify, "verify", false, "read every file and compare it with its digest first")
	return cmd
}

func newStateQuery(a *app) *cobra.Command {
	var q inspect.Query
	var format string
	cmd := &cobra.Command{
		Use: "query PATH", Short: "Write the rows of a table of a savepoint or checkpoint", Args: exactly(1, "state query PATH --vertex V --table T"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.openState(cmd, args[0])
			if err != nil {
				return err
			}
			defer func() { _ = s.Close() }()
			q.Format = rows.Format(format)
			if q.Format != rows.Table {
				return s.Rows(cmd.Context(), q, cmd.OutOrStdout())
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			if err := s.Rows(cmd.Context(), q, w); err != nil {
				return err
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVar(&q.Vertex, "vertex", "", "id of the vertex")
	cmd.Flags().StringVar(&q.Operator, "operator", "", "uid of the operator, where several of the vertex have the table")
	cmd.Flags().StringVar(&q.Table, "table", "", "name of the table")
	cmd.Flags().Int64Var(&q.Limit, "limit", 0, "most rows that are written (default all)")
	cmd.Flags().StringVar(&format, "format", string(rows.Table), "table, json (a row a line) or arrow (an IPC stream)")
	_ = cmd.MarkFlagRequired("vertex") // both flags are there
	_ = cmd.MarkFlagRequired("table")
	return cmd
}

// writeSummary writes what is in a checkpoint for people: of very many positions only how many there are.
func writeSummary(w io.Writer, s *inspect.Summary) error {
	what := "checkpoint"
	if s.Savepoint {
		what = "savepoint"
	}
	err := table(w, [][]string{
		{what, s.Location},
		{"job", s.Job},
		{"id", fmt.Sprintf("%d, %s", s.Checkpoint, s.Kind)},
		{"triggered", s.Triggered.Format(time.RFC3339)},
		{"format", strconv.FormatUint(uint64(s.FormatVersion), 10)},
		{"state", progress.Bytes(s.Bytes)},
	}...)
	if err != nil {
		return err
	}
	for i := range s.Vertices {
		if err := writeVertex(w, &s.Vertices[i]); err != nil {
			return err
		}
	}
	return nil
}

// positionsShown is how many positions of a vertex stand in the text.
const positionsShown = 20

func writeVertex(w io.Writer, v *inspect.Vertex) error {
	fmt.Fprintf(w, "\nvertex %s: parallelism %d (at most %d so far), %d key groups, %d files, %s\n", v.ID, v.Parallelism, v.LargestParallelism,
		v.MaxParallelism, v.Files, progress.Bytes(v.Bytes))
	var out [][]string
	for _, t := range v.Tables {
		rows := strconv.FormatInt(t.Rows, 10)
		if !t.Exact {
			rows = "at most " + rows
		}
		columns := strings.Join(t.Columns, ", ")
		if len(t.Entries) > 0 {
			columns = "entries (" + strings.Join(t.Entries, ", ") + ")"
		}
		out = append(out, []string{"  table " + t.Name, "of " + t.Operator, t.Shape, rows + " rows", "key (" + strings.Join(t.Keys, ", ") + ")", columns})
	}
	for i, p := range v.Positions {
		if i == positionsShown {
			out = append(out, []string{fmt.Sprintf("  and %d more splits; --json has them all", len(v.Positions)-i)})
			break
		}
		out = append(out, []string{"  split " + p.Split, p.State, moments(p.Watermark)})
	}
	for _, m := range v.Watermarks {
		out = append(out, []string{"  watermark", "of " + m.Operator, moments(&m.Millis)})
	}
	if v.Committables > 0 {
		out = append(out, []string{"  to commit", strconv.Itoa(v.Committables)})
	}
	return table(w, out...)
}

// moments is event time for people.
func moments(millis *int64) string {
	switch {
	case millis == nil || *millis == -1<<63:
		return "no event time yet"
	case *millis == 1<<63-1:
		return "the end of event time"
	default:
		return time.UnixMilli(*millis).UTC().Format("2006-01-02T15:04:05.000Z")
	}
}
