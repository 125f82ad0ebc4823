package blobstore_test

import (
	"errors"
	"testing"

	"millrace/blobstore"
)

func TestLocation(t *testing.T) {
	folder := "job-1/savepoint/00000000000000000007-abc"
	manifest := folder + "/manifest"
	checkpoint := "job-1/manifest/00000000000000000007-00000000000000000003-1"
	cases := []struct {
		place, key, location, manifest string
	}{
		{"/data/blobs", folder, "/data/blobs/" + folder, manifest},
		{"/data/blobs/", manifest, "/data/blobs/" + manifest, manifest},
		{"", folder, folder, manifest},
		{"s3://bucket/prefix?region=eu&endpoint=http://minio:9000", folder, "s3://bucket/prefix/" + folder + "?region=eu&endpoint=http://minio:9000", manifest},
		{"file:///data", checkpoint, "file:///data/" + checkpoint, checkpoint},
	}
	for _, c := range cases {
		if got := blobstore.Location(c.place, c.key); got != c.location {
			t.Errorf("%s in %s is %s, want %s", c.key, c.place, got, c.location)
		}
		place, key, err := blobstore.SplitLocation(c.location)
		if err != nil || key != c.manifest || blobstore.Location(place, key) != blobstore.Location(c.place, c.manifest) {
			t.Errorf("%s is %q in %q, %v", c.location, key, place, err)
		}
	}
	if _, key, err := blobstore.SplitLocation("/data/" + folder + "/"); err != nil || key != manifest {
		t.Errorf("with a slash at the end: %q, %v", key, err)
	}
	for _, bad := range []string{"", "/", "savepoint", "/data/job/savepoint/7-abc", "/data/job/savepoint/00000000000000000007", "/data/" + folder + "/chunk/x"} {
		if place, key, err := blobstore.SplitLocation(bad); !errors.Is(err, blobstore.ErrBadKey) {
			t.Errorf("%q is %q in %q, %v", bad, key, place, err)
		}
	}
}

func FuzzSplitLocation(f *testing.F) {
	f.Add("s3://b/job/savepoint/00000000000000000007-abc?x=y")
	f.Fuzz(func(t *testing.T, location string) {
		place, key, err := blobstore.SplitLocation(location)
		if err != nil {
			return
		}
		again, same, err := blobstore.SplitLocation(blobstore.Location(place, key))
		if err != nil || same != key || again != place {
			t.Errorf("%q is %q in %q; put together it is %q in %q, %v", location, key, place, same, again, err)
		}
	})
}
