package jobmanager

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"millrace/internal/clock"
	"millrace/internal/metrics"
	controlv1 "millrace/proto/millrace/control/v1"
)

// TestRefuse: what speaks against a task manager is said with what to do about it.
func TestRefuse(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	figures, err := metrics.New(clock.NewManual(now))
	if err != nil {
		t.Fatal(err)
	}
	j := New(Options{
		Cluster: "music", Address: "host:8081", Version: "2", Clock: clock.NewManual(now), Log: slog.New(slog.DiscardHandler), Metrics: figures,
	})
	good := func() *controlv1.Register {
		r := process("a", "host:1")
		r.Cluster, r.Version, r.ClockUnixMillis = "music", "2", now.UnixMilli()
		return r
	}
	for name, c := range map[string]struct {
		change func(*controlv1.Register)
		want   string // "" is nothing
	}{
		"good":         {func(*controlv1.Register) {}, ""},
		"cluster":      {func(r *controlv1.Register) { r.Cluster = "films" }, `this is cluster "music", not "films"`},
		"no process":   {func(r *controlv1.Register) { r.Incarnation = "" }, "needs an id and an incarnation"},
		"no slots":     {func(r *controlv1.Register) { r.Slots = 0 }, "0 slots: a task manager has 1 to 1024"},
		"version":      {func(r *controlv1.Register) { r.Version = "1" }, "its version is 1, this job manager's is 2; run one version"},
		"a little off": {func(r *controlv1.Register) { r.ClockUnixMillis -= clockErrorMax.Milliseconds() }, ""},
		"behind": {
			func(r *controlv1.Register) { r.ClockUnixMillis -= time.Hour.Milliseconds() },
			"its clock says 2023-11-14T21:13:20Z, the clock of job manager host:8081 says 2023-11-14T22:13:20Z, and 1m0s is the most",
		},
		"ahead": {func(r *controlv1.Register) { r.ClockUnixMillis += time.Hour.Milliseconds() }, "set the one that is wrong"},
		"ahead, and taken in by another leader": {
			func(r *controlv1.Register) { r.Term, r.ClockUnixMillis = 3, r.ClockUnixMillis+time.Hour.Milliseconds() }, "",
		},
	} {
		r := good()
		c.change(r)
		if got := j.refuse(r); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: refused with %q, want %q", name, got, c.want)
		}
	}
	if j.refuse(nil) == "" {
		t.Error("a stream without Register is served")
	}
}
