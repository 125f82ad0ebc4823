package examples

import (
	"os"
	"testing"
	"time"

	"millrace/tests/platformtest"
)

// testLimit bounds a test of a few seconds that hangs.
const testLimit = 4 * time.Minute

func TestMain(m *testing.M) { os.Exit(runTests(m)) }

func runTests(m *testing.M) int {
	defer platformtest.CloseSharedBroker()
	defer platformtest.RemoveBinary()
	return m.Run()
}
