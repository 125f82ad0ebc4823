package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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
)

// form is a flag with one of the forms.
type form struct{ to *string }

func (f form) String() string {
	if f.to == nil {
		return outputTable
	}
	return *f.to
}

func (form) Type() string { return outputTable + "|" + outputJSON }

func (f form) Set(text string) error {
	if text != outputTable && text != outputJSON {
		return fmt.Errorf("neither %s nor %s", outputTable, outputJSON)
	}
	*f.to = text
	return nil
}

func outputFlag(cmd *cobra.Command, to *string) {
	*to = outputTable
	cmd.Flags().VarP(form{to}, "output", "o", "form of the output")
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
