package coord_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"millrace/failure"
	"millrace/jobmanager/coord"
	"millrace/types"
)

func TestKeysAreAsDocumented(t *testing.T) {
	k, err := coord.ForJob("j-1")
	if err != nil {
		t.Fatal(err)
	}
	intent, err := k.Delete("chk-7")
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := coord.ClusterPrefix("prod")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{cluster, coord.JobsPrefix(), k.Prefix(), k.Graph(), k.State(), k.Attempt(), k.AttemptFloor(), k.AttemptRegions(), k.Placement(), k.CheckpointNext(), k.CheckpointLatest(), k.Abort(42), k.AbortPrefix(), intent, k.DeletePrefix()}
	want := []string{
		"/millrace/prod/", "jobs/", "jobs/j-1/", "jobs/j-1/graph", "jobs/j-1/state", "jobs/j-1/attempt", "jobs/j-1/attempt-floor",
		"jobs/j-1/attempt-regions", "jobs/j-1/placement",
		"jobs/j-1/checkpoint/next", "jobs/j-1/checkpoint/latest", "jobs/j-1/checkpoint/abort/00000000000000000042", "jobs/j-1/checkpoint/abort/",
		"jobs/j-1/delete/chk-7", "jobs/j-1/delete/",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys are durable; -want +got:\n%s", diff)
	}
}

func TestNoKeyEscapesItsJob(t *testing.T) {
	for _, id := range []string{"", "/", "a/b", "..", ".", "a/../b", "-a", "a b", "ä", "\x00"} {
		if _, err := coord.ForJob(types.JobID(id)); !errors.Is(err, coord.ErrInvalid) {
			t.Errorf("ForJob(%q): %v, want ErrInvalid", id, err)
		}
		if _, err := coord.ClusterPrefix(id); !errors.Is(err, coord.ErrInvalid) {
			t.Errorf("ClusterPrefix(%q): %v, want ErrInvalid", id, err)
		}
	}
}

func TestKeysParseBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := types.JobID(rapid.StringMatching(`[a-zA-Z0-9_][a-zA-Z0-9_.=-]{0,9}`).Draw(t, "job"))
		name := rapid.StringMatching(`[a-zA-Z0-9_][a-zA-Z0-9_.=-]{0,9}`).Draw(t, "name")
		id := types.CheckpointID(rapid.Uint64().Draw(t, "id"))
		k, err := coord.ForJob(job)
		if err != nil {
			t.Fatal(err)
		}
		intent, err := k.Delete(name)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]coord.JobKey{
			k.Graph():            {Job: job, Field: coord.FieldGraph},
			k.State():            {Job: job, Field: coord.FieldState},
			k.Attempt():          {Job: job, Field: coord.FieldAttempt},
			k.AttemptFloor():     {Job: job, Field: coord.FieldAttemptFloor},
			k.AttemptRegions():   {Job: job, Field: coord.FieldAttemptRegions},
			k.Placement():        {Job: job, Field: coord.FieldPlacement},
			k.CheckpointNext():   {Job: job, Field: coord.FieldCheckpointNext},
			k.CheckpointLatest(): {Job: job, Field: coord.FieldCheckpointLatest},
			k.Abort(id):          {Job: job, Field: coord.FieldAbort, Checkpoint: id},
			intent:               {Job: job, Field: coord.FieldDelete, Name: name},
		}
		for key, parsed := range want {
			got, err := coord.ParseJobKey(key)
			if err != nil || got != parsed {
				t.Fatalf("ParseJobKey(%q) = %+v, %v; want %+v", key, got, err, parsed)
			}
			if err := coord.CheckKey(key); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzParseJobKey(f *testing.F) {
	for _, seed := range []string{"jobs/j/graph", "jobs/j/checkpoint/abort/00000000000000000042", "jobs/j/checkpoint/abort/42", "jobs/j/delete/x", "jobs//graph", "jobs/j", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		parsed, err := coord.ParseJobKey(key)
		if err != nil {
			return
		}
		k, err := coord.ForJob(parsed.Job)
		if err != nil {
			t.Fatalf("accepted %q with a bad job: %v", key, err)
		}
		again := k.Prefix() + string(parsed.Field)
		switch parsed.Field {
		case coord.FieldAbort:
			again = k.Abort(parsed.Checkpoint)
		case coord.FieldDelete:
			if again, err = k.Delete(parsed.Name); err != nil {
				t.Fatal(err)
			}
		}
		if again != key {
			t.Errorf("%q builds again as %q", key, again)
		}
	})
}

func TestCheckTxn(t *testing.T) {
	big := make([]byte, coord.ValueBytesMax+1)
	many := make([]coord.Op, coord.OpsMax+1)
	cases := []struct {
		name     string
		compares []coord.Compare
		ops      []coord.Op
		want     error
	}{
		{"empty", nil, nil, nil},
		{"right", []coord.Compare{coord.Absent("a"), coord.VersionIs("b", 1), coord.ValueIs("c", nil)}, []coord.Op{coord.Put("a", nil), coord.Delete("b")}, nil},
		{"largest value", nil, []coord.Op{coord.Put("a", big[1:])}, nil},
		{"value too large", nil, []coord.Op{coord.Put("a", big)}, coord.ErrTooLarge},
		{"compared value too large", []coord.Compare{coord.ValueIs("a", big)}, nil, coord.ErrTooLarge},
		{"sum too large", []coord.Compare{coord.ValueIs("a", big[1:])}, []coord.Op{coord.Put("a", big[1:])}, coord.ErrTooLarge},
		{"too many", nil, many, coord.ErrTooLarge},
		{"twice", nil, []coord.Op{coord.Put("a", nil), coord.Delete("a")}, coord.ErrInvalid},
		{"zero compare", []coord.Compare{{Key: "a"}}, nil, coord.ErrInvalid},
		{"zero op", nil, []coord.Op{{Key: "a"}}, coord.ErrInvalid},
		{"bad key", nil, []coord.Op{coord.Put("../a", nil)}, coord.ErrInvalid},
		{"prefix as key", nil, []coord.Op{coord.Put("jobs/", nil)}, coord.ErrInvalid},
		{"of a read that did not work", []coord.Compare{coord.Unchanged("a", coord.Entry{}, coord.ErrUnavailable)}, nil, coord.ErrInvalid},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := coord.CheckTxn(c.compares, c.ops); !errors.Is(err, c.want) {
				t.Errorf("CheckTxn = %v, want %v", err, c.want)
			}
		})
	}
}

func TestUnchanged(t *testing.T) {
	got := []coord.Compare{coord.Unchanged("a", coord.Entry{Version: 3}, nil), coord.Unchanged("a", coord.Entry{}, failure.Internal(coord.ErrNotFound))}
	if diff := cmp.Diff([]coord.Compare{coord.VersionIs("a", 3), coord.Absent("a")}, got); diff != "" {
		t.Error(diff)
	}
}
