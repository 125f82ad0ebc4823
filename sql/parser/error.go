package parser

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"millrace/failure"
	"millrace/sql/ast"
)

// Error is what is wrong with a statement. It is the user's failure.
type Error struct {
	// Message has primary text, detail, hint and position. A text that is too long or no UTF-8 has no position.
	Message failure.Message
	// Offset is the byte where the fault begins.
	Offset int
	// Line is the line of the fault, shortened around it, and Caret the number of characters before the fault in it.
	Line  string
	Caret int
}

// Error prints the message on one line, the faulty line below it, and a caret below the fault.
func (e *Error) Error() string {
	if !e.Message.Position.IsSet() {
		return e.Message.Error()
	}
	return e.Message.Error() + "\n  " + e.Line + "\n  " + strings.Repeat(" ", e.Caret) + "^"
}

// FailureClass says that only the user can mend it.
func (e *Error) FailureClass() failure.Class { return e.Message.FailureClass() }

// Unwrap returns the message, for those who lay it out themselves.
func (e *Error) Unwrap() error { return e.Message }

// ErrorAt makes an error of whoever finds fault with a part of a parsed text later: the analyzer. Message needs no position.
func ErrorAt(text string, offset int, m failure.Message) *Error {
	m.Position = ast.PositionOf(text, offset)
	e := &Error{Message: m, Offset: offset}
	e.Line, e.Caret = lineAt(text, offset)
	return e
}

// lineAt returns the line around an offset, at most lineCharsMax characters of it, and how many of them stand before the
// offset.
func lineAt(text string, offset int) (line string, caret int) {
	offset = min(max(offset, 0), len(text))
	start := strings.LastIndexByte(text[:offset], '\n') + 1
	end := len(text)
	if at := strings.IndexByte(text[offset:], '\n'); at >= 0 {
		end = offset + at
	}
	before, behind := text[start:offset], strings.TrimRight(text[offset:end], "\r")
	if cut := clipStart(before, lineCharsMax/2); cut != before {
		before = "..." + cut
	}
	if cut := clipEnd(behind, lineCharsMax/2); cut != behind {
		behind = cut + "..."
	}
	return strings.Map(showable, before+behind), utf8.RuneCountInString(before)
}

// showable replaces what would move the caret away.
func showable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}

// clipEnd returns the first n characters of s.
func clipEnd(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// clipStart returns the last n characters of s.
func clipStart(s string, n int) string {
	i := len(s)
	for ; i > 0 && n > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(s[:i])
		i -= size
	}
	return s[i:]
}

// textError refuses a text before anything of it is read.
func textError(text string) *Error {
	if len(text) > TextBytesMax {
		return &Error{Message: failure.Message{
			Primary: fmt.Sprintf("the text is too long: %d bytes of at most %d", len(text), TextBytesMax),
			Hint:    "split the script",
		}}
	}
	if utf8.ValidString(text) {
		return nil
	}
	for i, r := range text {
		if _, size := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && size == 1 {
			return &Error{Offset: i, Message: failure.Message{
				Primary: fmt.Sprintf("byte %d of the text, 0x%02x, is no UTF-8", i, text[i]),
				Hint:    "save the script as UTF-8",
			}}
		}
	}
	return nil
}
