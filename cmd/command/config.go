package command

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"millrace/cmd/command/config"
)

// setting is a key that was given, as JSON.
type setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func newConfig(a *app) *cobra.Command {
	var output string
	var reference bool
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print the configuration that is in force, and where it comes from",
		Long: "Prints every key that was given, by -D, by the environment or by the file, and which of them had the last word.\n" +
			"With --reference it prints all keys that there are, as Markdown.",
		Args: exactly(0, "config [flags]"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if reference {
				_, err := fmt.Fprint(cmd.OutOrStdout(), config.Spec.Markdown())
				return err
			}
			c, err := a.load(cmd, nil)
			if err != nil {
				return err
			}
			return writeSettings(cmd, settings(c), output)
		},
	}
	cmd.Flags().BoolVar(&reference, "reference", false, "print all keys instead")
	outputFlag(cmd, &output)
	return cmd
}

// settings returns what was given, sorted by key, with secrets masked.
func settings(c config.Config) []setting {
	given := c.Masked()
	out := make([]setting, 0, len(given))
	for _, key := range slices.Sorted(maps.Keys(given)) {
		out = append(out, setting{key, given[key], c.Origin(key)})
	}
	return out
}

func writeSettings(cmd *cobra.Command, given []setting, output string) error {
	if output == outputJSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(given)
	}
	rows := [][]string{{"KEY", "VALUE", "FROM"}}
	for _, s := range given {
		rows = append(rows, []string{s.Key, s.Value, s.Origin})
	}
	return table(cmd.OutOrStdout(), rows...)
}
