package sdk_test

import (
	"fmt"
	"regexp"
	"time"
)

// tester stands for the *testing.T that an example has not: where examples say tester{}, a test says t.
type tester struct{}

func (tester) Helper()                           {}
func (tester) Cleanup(func())                    {}
func (tester) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (tester) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// noon is when the events of examples begin.
var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

// withoutLines returns the text of an error without the numbers of lines, which change with the files of examples.
func withoutLines(err error) string {
	return regexp.MustCompile(`_test\.go:\d+`).ReplaceAllString(err.Error(), "_test.go")
}
