package align

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"millrace/stream"
	"millrace/types"
)

// TestScripts runs the scripts in testdata. The commands:
//
//	aligner channels=3      a new aligner
//	barrier id=1 on=0       a barrier came on a channel
//	end on=0                a channel ended
//	in-order on=0           no barrier overtakes anything on the channel
//	overtake id=1           a barrier is passed on ahead of what is under way
//	known id=1 on=0         a barrier was found on a channel, not taken
//
//	valve channels=3        a new valve
//	watermark on=0 at=10    a channel advanced
//	idle on=0 / active on=0 a channel turned
//	done on=0               a channel ended
//	restore at=10           every channel starts anew
//
// Each prints what the caller is to do, and where things stand.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var s script
		datadriven.RunTest(t, path, s.run)
	})
}

type script struct {
	aligner *Aligner
	valve   *Valve
}

func (s *script) run(t *testing.T, d *datadriven.TestData) string {
	var on, id, at, channels int
	for name, p := range map[string]*int{"on": &on, "id": &id, "at": &at, "channels": &channels} {
		if d.HasArg(name) {
			d.ScanArgs(t, name, p)
		}
	}
	switch d.Cmd {
	case "aligner":
		s.aligner = NewAligner(channels)
		return "ok\n"
	case "barrier":
		return s.aligned(s.aligner.Barrier(on, stream.Barrier{ID: types.CheckpointID(id)}))
	case "end":
		return s.aligned(s.aligner.End(on))
	case "in-order":
		s.aligner.KeepInOrder(on)
		return s.aligned(Aligned{})
	case "overtake":
		return s.aligned(s.aligner.Overtake(stream.Barrier{ID: types.CheckpointID(id)}))
	case "known":
		return s.aligned(s.aligner.Known(on, types.CheckpointID(id)))
	case "valve":
		s.valve = NewValve(channels)
		return "ok\n"
	case "restore":
		s.valve.Restore(stream.Watermark(at))
		return s.changed(Change{})
	case "watermark":
		w := stream.Watermark(at)
		if d.HasArg("max") {
			w = stream.MaxWatermark
		}
		return s.changed(s.valve.Advance(on, w))
	case "idle", "active":
		return s.changed(s.valve.SetIdle(on, d.Cmd == "idle"))
	case "done":
		return s.changed(s.valve.End(on))
	default:
		t.Fatalf("unknown command %s", d.Cmd)
		return ""
	}
}

func (s *script) aligned(a Aligned) string {
	var sb strings.Builder
	if a.Abandoned != 0 {
		fmt.Fprintf(&sb, "abandon %d\n", a.Abandoned)
	}
	if a.Complete {
		fmt.Fprintf(&sb, "pass barrier %d\n", a.Barrier.ID)
	}
	if a.Dropped != 0 {
		fmt.Fprintf(&sb, "drop what was recorded for %d\n", a.Dropped)
	}
	if a.Recorded != 0 {
		fmt.Fprintf(&sb, "all is recorded for %d\n", a.Recorded)
	}
	sb.WriteString("blocked:")
	for i := range s.aligner.blocked {
		if s.aligner.Blocked(i) {
			fmt.Fprintf(&sb, " %d", i)
		}
	}
	if s.aligner.RecordedFor() != 0 {
		sb.WriteString("; recording:")
		for i := range s.aligner.recording {
			if s.aligner.Recording(i) {
				fmt.Fprintf(&sb, " %d", i)
			}
		}
	}
	return sb.String() + "\n"
}

func (s *script) changed(c Change) string {
	var sb strings.Builder
	if c.Advanced {
		fmt.Fprintf(&sb, "advance to %s\n", eventTime(c.Watermark))
	}
	if c.Turned {
		fmt.Fprintf(&sb, "idle=%v\n", c.Idle)
	}
	return sb.String() + fmt.Sprintf("at %s\n", eventTime(s.valve.Watermark()))
}

func eventTime(w stream.Watermark) string {
	switch w {
	case stream.NoWatermark:
		return "none"
	case stream.MaxWatermark:
		return "max"
	default:
		return fmt.Sprint(int64(w))
	}
}
