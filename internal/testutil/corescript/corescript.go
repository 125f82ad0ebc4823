// Package corescript plays the scripts of step cores: an event a line in, the line and its effects out.
//
// It knows how a script reads, so that the scripts of all cores read alike. What the words of a line mean is the core's
// test's. It is not a harness: commands that make a core, or look into it, are cases of the test's own handler.
package corescript

import (
	"fmt"
	"strconv"
	"strings"
)

// Line is the words of a line.
type Line []string

// Word returns word i, "" where the line is shorter.
func (l Line) Word(i int) string {
	if i < len(l) {
		return l[i]
	}
	return ""
}

// Rest returns the words from i on as one text, "" where the line is shorter.
func (l Line) Rest(i int) string { return strings.Join(l[min(i, len(l)):], " ") }

// Number returns the number that word i is, 0 where it is none.
func (l Line) Number(i int) int64 {
	n, _ := strconv.ParseInt(l.Word(i), 10, 64)
	return n
}

// Play takes the input of a script's command line by line: events says which events a line stands for, step gives each
// to the core. It returns each line behind "> ", and its effects below it. Lines that are empty are events' business.
func Play[Event any, Effect fmt.Stringer](input string, events func(Line) []Event, step func(Event) []Effect) string {
	var b strings.Builder
	for line := range strings.Lines(input) {
		line = strings.TrimSpace(line)
		b.WriteString("> " + line + "\n")
		for _, event := range events(strings.Fields(line)) {
			for _, effect := range step(event) {
				b.WriteString(effect.String() + "\n")
			}
		}
	}
	return b.String()
}
