package kafka

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"millrace/failure"
	"millrace/formats"
	"millrace/jobgraph"
	"millrace/types"
)

// TestJudgeEnd has a line for every code that the design note lists.
func TestJudgeEnd(t *testing.T) {
	want := map[endVerdict][]int16{
		endDone:      {0},
		endBusy:      {51},
		endDoubt:     {-1, 7, 13, 14, 15, 16, 50, 999},
		endRefused:   {47, 48, 49, 59, 90, 105, 120},
		endForbidden: {29, 30, 31, 35, 53},
	}
	for verdict, codes := range want {
		for _, code := range codes {
			if got := judgeEnd(code); got != verdict {
				t.Errorf("code %d: verdict %d, want %d", code, got, verdict)
			}
		}
	}
}

func TestJudgeMarker(t *testing.T) {
	type at struct {
		offset    int64
		code      int16
		done, old bool
	}
	for in, want := range map[at]markerVerdict{
		{7, 0, true, false}:   markerConfirmed,
		{7, 0, false, false}:  markerConfirmed,
		{8, 0, false, true}:   markerConfirmed,
		{6, 0, false, false}:  markerLost,
		{-1, 0, false, false}: markerLost,
		{-1, 0, false, true}:  markerInDoubt,
		{6, 0, true, true}:    markerInDoubt,
		{-1, 0, true, false}:  markerContradicts,
		{6, 0, true, false}:   markerContradicts,
		{-1, 88, true, false}: markerUnstable,
		{7, 88, false, true}:  markerUnstable,
		{-1, 16, false, true}: markerUnknown,
		{-1, 14, true, false}: markerUnknown,
	} {
		if got := judgeMarker(Marker{Offset: in.offset}, in.code, 7, in.done, in.old); got != want {
			t.Errorf("%+v: verdict %d, want %d", in, got, want)
		}
	}
}

func TestSpecsAreValid(t *testing.T) {
	for _, s := range []interface{ Validate() error }{sourceSpec, sinkSpec} {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// TestOptionsAreChecked opens sources and sinks with options that can't be right.
func TestOptionsAreChecked(t *testing.T) {
	c := &Connector{Formats: formats.Registry{"raw": rawFormat, "picky": pickyFormat}}
	source := map[string]string{keyBrokers: "b:1", keyTopic: "t", keyFormat: "raw", keyStartup: modeEarliest}
	sink := map[string]string{keyBrokers: "b:1", keyTopic: "t", keyFormat: "raw"}
	openSource := func(o map[string]string) error { _, err := c.Source().Open(o, textSchema); return err }
	openSink := func(o map[string]string) error { _, err := c.Sink().Open(o, textSchema); return err }
	for _, test := range []struct {
		open  func(map[string]string) error
		opts  map[string]string
		names []string
	}{
		{openSource, source, nil},
		{openSource, with(source, keyFormat, "yaml"), []string{keyFormat, "picky, raw"}},
		{openSource, with(source, "properties.bootstrap.server", "x"), []string{keyBrokers}},
		{openSource, with(source, "properties.sasl.oauthbearer.token.endpoint.url", "x"), []string{"unknown option"}},
		{openSource, with(source, keyBrokers, " , "), []string{keyBrokers}},
		{openSource, with(source, keyTopic, ";"), []string{keyTopic}},
		{openSource, with(source, keyStartup, modeTimestamp), []string{keyStartupTime}},
		{openSource, with(source, keyStartupTime, "5"), []string{keyStartupTime}},
		{openSource, with(source, keyStartup, modeGroup), []string{keyGroup}},
		{openSource, with(source, keyStartup, modeSpecific, keyStartupOffset, "partition:0"), []string{keyStartupOffset}},
		{openSource, with(source, keyStartup, modeSpecific, keyStartupOffset, "partition:0,offset:1;partition:0,offset:2"), []string{"twice"}},
		{openSource, with(source, keyStartup, modeSpecific, keyStartupOffset, "partition:0,offset:-1"), []string{keyStartupOffset}},
		{openSource, with(source, keyTopic, "a;b", keyStartup, modeSpecific, keyStartupOffset, "partition:0,offset:1"), []string{keyTopic}},
		{openSink, sink, nil},
		{openSink, with(sink, keyFormat, "picky"), []string{"can't be written"}},
		{openSink, with(sink, keyKeyFields, "text"), []string{keyKeyFormat}},
		{openSink, with(sink, keyKeyFields, "nosuch", keyKeyFormat, "raw"), []string{"nosuch"}},
		{openSink, with(sink, keyGuarantee, "twice", keyTimeout, "1"), []string{keyGuarantee, keyTimeout}},
	} {
		err := test.open(test.opts)
		if len(test.names) == 0 {
			if err != nil {
				t.Errorf("%v: %v", test.opts, err)
			}
			continue
		}
		if failure.ClassOf(err).Domain != failure.DomainUser {
			t.Errorf("%v: class %s of %v", test.opts, failure.ClassOf(err), err)
		}
		for _, name := range test.names {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%v: error %v does not name %s", test.opts, err, name)
			}
		}
	}
}

func TestParseOffsets(t *testing.T) {
	got, err := parseOffsets("partition:0,offset:42; partition:1,offset:300;")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[int32]int64{0: 42, 1: 300}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestCheckBudget(t *testing.T) {
	c := &Connector{Formats: formats.Registry{"raw": rawFormat}}
	sink := map[string]string{keyBrokers: "b:1", keyTopic: "t", keyFormat: "raw", keyGuarantee: guaranteeExactlyOnce}
	spec := jobgraph.CheckpointSpec{Interval: 10 * time.Second, Timeout: 2 * time.Minute, TolerableFailures: 2}
	with := func(f func(*jobgraph.CheckpointSpec)) jobgraph.CheckpointSpec { s := spec; f(&s); return s }
	for name, test := range map[string]struct {
		spec jobgraph.CheckpointSpec
		fits bool
	}{
		"fits":              {spec, true},
		"no checkpoints":    {with(func(s *jobgraph.CheckpointSpec) { s.Interval = 0 }), false},
		"too many failures": {with(func(s *jobgraph.CheckpointSpec) { s.TolerableFailures = poolSize }), false},
		"default timeout":   {with(func(s *jobgraph.CheckpointSpec) { s.Timeout = 0 }), true},
		"of long intervals": {with(func(s *jobgraph.CheckpointSpec) { s.Timeout, s.Interval = 0, time.Minute }), false},
		"just too long":     {with(func(s *jobgraph.CheckpointSpec) { s.Timeout = 6 * time.Minute }), false},
		"just short enough": {with(func(s *jobgraph.CheckpointSpec) { s.Timeout = 6*time.Minute - time.Millisecond }), true},
	} {
		if err := c.CheckBudget(test.spec, sink); (err == nil) != test.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
	sink[keyGuarantee] = guaranteeAtLeastOnce
	if err := c.CheckBudget(jobgraph.CheckpointSpec{}, sink); err != nil {
		t.Errorf("at-least-once: %v", err)
	}
}

// TestTransactionalIDs: ids of all subtasks and attempts differ, those of groups
// do from each other, and all stay what they are.
func TestTransactionalIDs(t *testing.T) {
	n := names{"millrace", "job", "sink"}
	var ids, groups []string
	for subtask := range int32(12) {
		for k := range poolSize {
			groups = append(groups, n.group(subtask, k))
			for a := range types.Attempt(generations) {
				ids = append(ids, n.id(subtask, k, a))
			}
		}
	}
	for what, all := range map[string][]string{"ids": ids, "groups": append(groups, n.of())} {
		slices.Sort(all)
		if found := len(slices.Compact(slices.Clone(all))); found != len(all) {
			t.Errorf("%d of %d %s differ", found, len(all), what)
		}
	}
	if diff := cmp.Diff("millrace.job.sink.11.7.44", n.id(11, 7, 300)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff("millrace.job.sink.11.7", n.group(11, 7)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
