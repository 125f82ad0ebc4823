package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/sdk/sdktest"
)

// Each line is in the topic of its type, once, behind a crash too.
func TestRouting(t *testing.T) {
	p := sdktest.Start(t, job, sdktest.Options{})
	sdktest.Push(p, "log", Line{"1970-01-01T00:00:01Z info up"}, Line{"1970-01-01T00:00:02Z error disk full"})
	p.Checkpoint()
	sdktest.Push(p, "log", Line{"nonsense"}, Line{"1970-01-01T00:00:03Z audit ann logged in"}, Line{"noon info lunch"})
	p.Crash()
	p.End()
	at := func(s int64) time.Time { return time.Unix(s, 0).UTC() }
	for sink, want := range map[string][]Event{
		"events": {{at(1), "info", "up"}}, "errors": {{at(2), "error", "disk full"}}, "audit": {{at(3), "audit", "ann logged in"}},
	} {
		if d := cmp.Diff(want, sdktest.Committed[Event](p, sink)); d != "" {
			t.Errorf("%s (-want +got):\n%s", sink, d)
		}
	}
	unread := []Unread{
		{"nonsense", "a line is a time, a level and a text"},
		{"noon info lunch", `parsing time "noon" as "2006-01-02T15:04:05Z07:00": cannot parse "noon" as "2006"`},
	}
	if d := cmp.Diff(unread, sdktest.Committed[Unread](p, "unread")); d != "" {
		t.Errorf("unread (-want +got):\n%s", d)
	}
}
