package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// The forms of output.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputCSV   = "csv" // of rows alone
)

// form is a flag with one of some forms.
type form struct {
	to *string
	of []string
}

func (f form) String() string {
	if f.to == nil {
		return outputTable
	}
	return *f.to
}

func (f form) Type() string { return strings.Join(f.of, "|") }

func (f form) Set(text string) error {
	if !slices.Contains(f.of, text) {
		return fmt.Errorf("neither %s", strings.Join(f.of, " nor "))
	}
	*f.to = text
	return nil
}

// outputFlag adds the flag for the form of what a command writes: those that every command has, and more.
func outputFlag(cmd *cobra.Command, to *string, more ...string) {
	*to = outputTable
	cmd.Flags().VarP(form{to, append([]string{outputTable, outputJSON}, more...)}, "output", "o", "form of the output")
}

// writeMessage writes a message as JSON, indented or on one line. protojson varies its white space from build to build;
// what is written here does not.
func writeMessage(w io.Writer, m proto.Message, indent bool) error {
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: indent}.Marshal(m)
	if err != nil {
		return fmt.Errorf("write as JSON: %w", err)
	}
	var out bytes.Buffer
	if indent {
		err = json.Indent(&out, text, "", "  ")
	} else {
		err = json.Compact(&out, text)
	}
	if err != nil {
		return fmt.Errorf("write as JSON: %w", err)
	}
	out.WriteByte('\n')
	_, err = out.WriteTo(w)
	return err
}

// table writes rows in aligned columns.
func table(w io.Writer, rows ...[]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}
