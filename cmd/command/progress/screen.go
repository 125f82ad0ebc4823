package progress

import (
	"fmt"
	"io"
	"os"
	"time"
	"unicode/utf8"

	apiv1 "millrace/proto/millrace/api/v1"
)

// every is how often figures are written where nothing is written over.
const every = 3 * time.Second

// Screen writes what a watch sees. Use NewScreen. It is not safe for concurrent use.
type Screen struct {
	// Figures is what the screen shows.
	Figures
	out io.Writer
	// width is that of the terminal, 0 if out is none.
	width   func() int
	written time.Time
	// dirty tells that the cursor is behind a line that is to be written over; closed, that the last figures are out.
	dirty, closed bool
}

// NewScreen returns a screen that writes to out: one refreshed line if that is a terminal.
func NewScreen(out io.Writer) *Screen {
	s := &Screen{out: out, width: func() int { return 0 }}
	if f, ok := out.(*os.File); ok {
		s.width = func() int { return columns(f) }
	}
	return s
}

// See takes an event and shows it. It has the shape that client.Await wants and never fails: what can't be shown does
// not end the wait.
func (s *Screen) See(e *apiv1.WatchJobResponse) error {
	at := e.Time.AsTime()
	happened := s.Observe(e)
	width := s.width()
	switch {
	case happened != "":
		s.Say("%s  %s", at.Local().Format(time.TimeOnly), happened)
	case s.ended():
		s.final(e)
	case width > 0:
		s.refresh(width)
	case e.GetProgress() != nil && at.Sub(s.written) >= every:
		s.written = at
		fmt.Fprintf(s.out, "%s  %s\n", at.Local().Format(time.TimeOnly), s.Line())
	}
	return nil
}

// final writes the last figures of a job, once.
func (s *Screen) final(e *apiv1.WatchJobResponse) {
	if e.GetProgress() == nil || s.closed {
		return
	}
	s.closed = true
	s.Say("%s  %s", e.Time.AsTime().Local().Format(time.TimeOnly), s.Line())
}

// Say writes a line of its own, above the refreshed one.
func (s *Screen) Say(format string, args ...any) {
	s.clear()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// Close leaves the cursor below what was shown.
func (s *Screen) Close() {
	if s.dirty {
		fmt.Fprintln(s.out)
		s.dirty = false
	}
}

func (s *Screen) refresh(width int) {
	s.clear()
	fmt.Fprint(s.out, cut(s.Line(), width-1))
	s.dirty = true
}

// clear empties the line that the cursor is on.
func (s *Screen) clear() {
	if s.dirty {
		fmt.Fprint(s.out, "\r\x1b[2K")
		s.dirty = false
	}
}

// cut shortens a line to a number of characters, since one that wraps can't be written over.
func cut(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:max(width, 0)])
}
