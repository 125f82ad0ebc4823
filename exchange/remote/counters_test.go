package remote

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"millrace/stream"
	"millrace/types"
)

// noAddresses resolves nobody.
type noAddresses struct{}

func (noAddresses) Resolve(types.TaskManagerID) (string, bool) { return "", false }

// Each figure reads the counter that its name says.
func TestFigures(t *testing.T) {
	n, err := New(Options{ID: "tm-1", Resolver: noAddresses{}, Pool: &stream.Pool{}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	k := n.Counters()
	k.BytesIn.Add(1)
	k.BytesOut.Add(2)
	k.FramesIn.Add(3)
	k.FramesOut.Add(4)
	k.RowsIn.Add(5)
	k.RowsOut.Add(6)
	k.CreditWaitNanos.Add(7_999_999)
	k.Dials.Add(8)
	k.Breaks.Add(9)
	k.Broken.Add(10)
	k.Refused.Add(11)
	n.mu.streams = 12
	got := map[string]int64{}
	for _, f := range n.Figures() {
		if _, twice := got[f.Name]; twice || f.Help == "" {
			t.Errorf("figure %s is there twice or says nothing", f.Name)
		}
		got[f.Name] = f.Read()
	}
	n.mu.streams = 0
	want := map[string]int64{
		"numBytesInRemote": 1, "numBytesOutRemote": 2, "numBuffersInRemote": 3, "numBuffersOutRemote": 4,
		"numRecordsInRemote": 5, "numRecordsOutRemote": 6, "creditWaitTimeMs": 7, "numConnectionAttempts": 8,
		"numStreamsBroken": 9, "numChannelsBroken": 10, "numChannelsRefused": 11, "numChannels": 0, "numStreamsIn": 12, "numStreamsOut": 0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
