package command

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"millrace/jobmanager/coord/etcd/embedded"
)

// newEtcd is a role that local --processes starts. People have servers of their own.
func newEtcd(a *app) *cobra.Command {
	var dir, address string
	cmd := &cobra.Command{
		Use: "etcd", Hidden: true, Short: "Run a server of etcd on loopback until it is interrupted", Args: exactly(0, "etcd --dir DIR"),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.etcd(cmd, dir, address) },
	}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the data")
	cmd.Flags().StringVar(&address, "address", "", "address of loopback to serve on (default any free port)")
	return cmd
}

func (a *app) etcd(cmd *cobra.Command, dir, address string) error {
	c, err := a.load(cmd, nil)
	if err != nil {
		return err
	}
	log := logger(cmd, c, slog.LevelInfo)
	s, err := embedded.Start(cmd.Context(), embedded.Options{
		Dir: dir, Address: address, Logf: func(line string) { log.Error("etcd", "says", line) },
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "millrace %s: etcd\n", a.version)
	_ = table(cmd.OutOrStdout(), []string{"  etcd", s.Endpoint()})
	select {
	case <-cmd.Context().Done():
		return s.Close()
	case err := <-s.Err():
		return err
	}
}
