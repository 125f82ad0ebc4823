// Command summary reads the output of go test -json and prints what a person wants to know: one line a package as it
// ends, the whole output of what failed, the tests that were skipped with their reasons, and a last line
//
//	N passed, N failed, N skipped
//
// Tests and subtests count, each once. It exits with 1 if anything failed or a package could not be built, or if the
// input holds no test at all: a run that tested nothing must not look like success.
//
//	go test -json ./... | go run ./internal/testutil/summary
package main

import (
	"fmt"
	"os"
)

func main() {
	r := newReport(os.Stdout)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "summary: read test events:", err)
		os.Exit(1)
	}
	if !r.finish() {
		os.Exit(1)
	}
}
