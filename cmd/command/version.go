package command

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionInfo is what millrace version prints as JSON.
type versionInfo struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Commit   string `json:"commit,omitempty"`
}

func newVersion(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: exactly(0, "version"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info := versionInfo{a.version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, commit()}
			if output == outputJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(info)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "millrace %s (%s, %s)\n", info.Version, info.Go, info.Platform)
			return err
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// commit returns the commit that the build says it is from.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}
