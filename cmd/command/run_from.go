package command

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"millrace/blobstore"
	"millrace/failure"
	apiv1 "millrace/proto/millrace/api/v1"
)

// flinksNames are Flink's names of flags of ours.
func flinksNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "fromSavepoint":
		name = "from-savepoint"
	case "allowNonRestoredState":
		name = "allow-non-restored-state"
	}
	return pflag.NormalizedName(name)
}

// absolute makes the place of a location one that means the same to the cluster. What is a key of the cluster's store
// stays one.
func absolute(location string) (string, error) {
	if location == "" {
		return "", nil
	}
	place, key, err := blobstore.SplitLocation(location)
	if err != nil {
		return "", failure.User(fmt.Errorf("savepoint: %w", err))
	}
	if place == "" || strings.Contains(place, ":") {
		return location, nil
	}
	if place, err = filepath.Abs(place); err != nil {
		return "", failure.User(err)
	}
	return blobstore.Location(place, key), nil
}

// writeFates says what becomes of the state with which a job starts.
func writeFates(w io.Writer, answer *apiv1.SubmitJobResponse) error {
	if answer.RestoredCheckpointId == 0 {
		return nil
	}
	fmt.Fprintf(w, "state of checkpoint %d of job %s:\n", answer.RestoredCheckpointId, answer.RestoredJobId)
	rows := [][]string{{"STATE", "VERTEX", "OPERATOR", "WHAT", "DETAIL"}}
	for _, f := range answer.State {
		what := f.What
		if f.Table != "" {
			what += " " + f.Table
		}
		rows = append(rows, []string{
			strings.ToLower(strings.TrimPrefix(f.Fate.String(), "FATE_")), f.VertexId, dash(f.OperatorUid), what, f.Detail,
		})
	}
	if err := table(w, rows...); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w)
	return err
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
