package memory_test

import (
	"testing"

	"millrace/catalog"
	"millrace/catalog/catalogtest"
	"millrace/catalog/memory"
)

func TestStore(t *testing.T) {
	catalogtest.Run(t, func(*testing.T) catalog.Store { return memory.New() })
}
