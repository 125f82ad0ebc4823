package local_test

import (
	"testing"

	"go.uber.org/goleak"

	"millrace/exchange/exchangetest"
	"millrace/exchange/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	exchangetest.Run(t, func(t *testing.T) exchangetest.Fixture {
		n := local.NewNetwork()
		t.Cleanup(func() {
			if c := n.Channels(); c != 0 {
				t.Errorf("%d channels are left", c)
			}
		})
		return exchangetest.Fixture{Producer: n, Consumer: n}
	})
}
