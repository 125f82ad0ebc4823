package operatortest

import (
	"fmt"
	"strconv"
	"strings"

	"millrace/stream"
)

type eventKind uint8

const (
	rowsEvent eventKind = iota
	watermarkEvent
	timeEvent
	flushEvent
	endEvent
)

// event is a step of a script. Rows that follow each other in one input are one
// event.
type event struct {
	kind      eventKind
	input     int
	rows      []string
	watermark stream.Watermark
	time      int64
}

// parseScript reads a script.
func parseScript(text string) ([]event, error) {
	var events []event
	input := 0
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		var err error
		switch word {
		case "input":
			input, err = strconv.Atoi(rest)
		case "watermark":
			var w int64
			w, err = strconv.ParseInt(rest, 10, 64)
			events = append(events, event{kind: watermarkEvent, watermark: stream.Watermark(w)})
		case "time":
			var now int64
			now, err = strconv.ParseInt(rest, 10, 64)
			events = append(events, event{kind: timeEvent, time: now})
		case "flush":
			events = append(events, event{kind: flushEvent})
		case "end":
			events = append(events, event{kind: watermarkEvent, watermark: stream.MaxWatermark}, event{kind: endEvent})
		default:
			events = appendRow(events, input, line)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return events, nil
}

func appendRow(events []event, input int, row string) []event {
	if n := len(events); n > 0 && events[n-1].kind == rowsEvent && events[n-1].input == input {
		events[n-1].rows = append(events[n-1].rows, row)
		return events
	}
	return append(events, event{kind: rowsEvent, input: input, rows: []string{row}})
}
