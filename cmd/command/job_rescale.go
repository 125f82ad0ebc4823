package command

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"millrace/cmd/command/client"
	"millrace/failure"
)

func newJobRescale(a *app) *cobra.Command {
	var parallelism int32
	var vertices []string
	cmd := a.onJob("rescale", "Give a job another parallelism", func(cmd *cobra.Command, c *client.Client, id string) error {
		named, err := parseVertices(vertices)
		if err != nil {
			return err
		}
		if err := c.Rescale(cmd.Context(), id, parallelism, named); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "job %s is being rescaled: millrace job show %s says where it stands\n", id, id)
		return err
	})
	cmd.Long = "Gives a job another parallelism, for good: also restarts keep it. A running job takes a checkpoint first and goes on\n" +
		"from there, so that little is done twice; with too few slots it runs at the parallelism that they allow."
	cmd.Flags().Int32VarP(&parallelism, "parallelism", "p", 0, "parallelism of every vertex")
	cmd.Flags().StringArrayVar(&vertices, "vertex", nil, "parallelism of one vertex, over that of all: --vertex windows=4")
	return cmd
}

// parseVertices reads "windows=4".
func parseVertices(texts []string) (map[string]int32, error) {
	out := make(map[string]int32, len(texts))
	for _, text := range texts {
		id, number, ok := strings.Cut(text, "=")
		n, err := strconv.ParseInt(number, 10, 32)
		if !ok || id == "" || err != nil {
			return nil, failure.Userf("--vertex %s: want the id of a vertex and its parallelism, as in windows=4", text)
		}
		out[id] = int32(n)
	}
	return out, nil
}
