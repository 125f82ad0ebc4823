package chaos

import (
	"os"
	"testing"

	"millrace/tests/platformtest"
)

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	defer platformtest.RemoveBinary()
	return m.Run()
}
