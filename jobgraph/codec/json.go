package codec

import (
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"millrace/failure"
	"millrace/jobgraph"
	"millrace/options"
	jobv1 "millrace/proto/millrace/job/v1"
)

// ParseJSON reads a graph file: the JSON form of the JobGraph message, with
// field names in either case, durations as "4s" and 64-bit integers as numbers
// or text. A file that is none is a failure.Message of the user with its place
// in the text and, for a field that is not known, the nearest one that is; a
// message that is no graph is reported as FromProto does.
func ParseJSON(text []byte) (*jobgraph.Graph, error) {
	if len(text) > BytesMax {
		return nil, failure.Userf("the graph file has %d bytes, more than %d", len(text), BytesMax)
	}
	var g jobv1.JobGraph
	if err := protojson.Unmarshal(text, &g); err != nil {
		return nil, jsonProblem(err)
	}
	return FromProto(&g)
}

// FormatJSON writes a graph as ParseJSON reads it, indented, with the field
// names of job.proto. The text of equal graphs is equal up to white space.
func FormatJSON(g *jobgraph.Graph) ([]byte, error) {
	m, err := ToProto(g)
	if err != nil {
		return nil, err
	}
	text, err := protojson.MarshalOptions{Multiline: true, Indent: "  ", UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, failure.Userf("write the graph as JSON: %w", err)
	}
	return append(text, '\n'), nil
}

var (
	jsonPlace   = regexp.MustCompile(`\(line (\d+):(\d+)\):?\s*`)
	jsonUnknown = regexp.MustCompile(`unknown field "([^"]*)"`)
)

// jsonProblem turns the library's error into ours. Its text is for people and
// may change; where it does, place and hint are lost and nothing else.
func jsonProblem(err error) error {
	// The library varies the space behind its prefix, lest anybody compare texts.
	text := strings.TrimLeft(strings.TrimPrefix(err.Error(), "proto:"), " \u00a0")
	m := failure.Message{Primary: text}
	if at := jsonPlace.FindStringSubmatch(text); at != nil {
		line, _ := strconv.Atoi(at[1])
		column, _ := strconv.Atoi(at[2])
		m.Position = failure.Position{Line: line, Column: column}
		m.Primary = strings.Replace(text, at[0], "", 1)
	}
	if name := jsonUnknown.FindStringSubmatch(text); name != nil {
		m.Field = name[1]
		if near, ok := options.Nearest(name[1], fieldNames()); ok {
			m.Hint = "did you mean " + near + "?"
		}
	}
	return m
}

// fieldNames returns the names of all fields that a graph file may have.
func fieldNames() []string {
	var names []string
	messages := jobv1.File_millrace_job_v1_job_proto.Messages()
	for i := range messages.Len() {
		fields := messages.Get(i).Fields()
		for k := range fields.Len() {
			names = append(names, string(fields.Get(k).FullName().Name()))
		}
	}
	return names
}
