package nexmark_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"millrace/cmd/command/script"
	"millrace/internal/testutil/matrix"
	"millrace/sql/session"
	"millrace/stream"
	"millrace/types"
)

// generated are all queries.
func generated() (out []string) {
	for i := range 24 {
		out = append(out, "q"+strconv.Itoa(i))
	}
	return out
}

// generatedEvents is how many the connector makes for a query.
const generatedEvents = 5000

// TestNexmarkGenerated runs every query as the public suite does: over the connector nexmark with the suite's options, whose values are
// variables, into the connector blackhole.
func TestNexmarkGenerated(t *testing.T) {
	for _, query := range matrix.Sample(t, 2, generated()) {
		t.Run(query, func(t *testing.T) {
			j := generatedJob(t, query)
			q := sharedCluster(t).Begin(t, j, func(*stream.Batch) error { return nil })
			t.Cleanup(q.Drop)
			if err := q.End(t); err != nil {
				t.Fatal(err)
			}
			read := int64(0)
			for _, task := range q.Describe(t).Tasks {
				read = max(read, task.Progress.GetRecordsIn())
			}
			if read == 0 {
				t.Error("no task has read anything")
			}
		})
	}
}

func generatedJob(t *testing.T, query string) *session.Job {
	t.Helper()
	dir := t.TempDir()
	writeSideInput(t, dir)
	values := map[string]string{
		"TPS": "10000", "EVENTS_NUM": strconv.Itoa(generatedEvents), "PERSON_PROPORTION": "1", "AUCTION_PROPORTION": "3", "BID_PROPORTION": "46",
		"KEEP_ALIVE": "false", "STOP_AT": "-1", "DIR": dir,
	}
	tables := substituted(t, read(t, "generator")+read(t, "views"), values)
	text := substituted(t, read(t, query), values)
	options := map[string]string{"parallelism.default": "2", "execution.checkpointing.interval": "100 ms"}
	j := sharedCluster(t).Session(t, options).Job(t, tables+text)
	if j.Query == nil {
		return j
	}
	first, last := statements(text)
	return sharedCluster(t).Session(t, options).Job(t, tables+first+blackhole(query, j.Query)+"INSERT INTO nexmark_"+query+"\n"+last)
}

func substituted(t *testing.T, text string, values map[string]string) string {
	t.Helper()
	text, err := script.Substitute(text, values)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// statements cuts a text in front of its last statement, the query.
func statements(text string) (first, last string) {
	at := strings.LastIndex(strings.TrimSuffix(strings.TrimSpace(text), ";"), ";\n")
	if at < 0 {
		return "", text
	}
	return text[:at+2], text[at+2:]
}

// blackhole returns a statement that creates a table for the rows of a query.
func blackhole(query string, columns *types.Schema) string {
	var b strings.Builder
	for i, f := range columns.Fields {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "`%s` %s", f.Name, f.Type.AsNullable())
	}
	return fmt.Sprintf("CREATE TABLE nexmark_%s (%s) WITH ('connector' = 'blackhole');\n", query, b.String())
}
