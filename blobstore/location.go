package blobstore

import (
	"fmt"
	"strings"
)

// A location is how people name a savepoint or a checkpoint: the place of a store, as a folder or a URI, and a key of it
// behind that. What parameters a URI has stand at its end.

// Location returns the location of a key in the store at a place. The empty place gives the key.
func Location(place, key string) string {
	place, query, found := strings.Cut(place, "?")
	if place != "" && !strings.HasSuffix(place, "/") {
		place += "/"
	}
	if found {
		query = "?" + query
	}
	return place + key + query
}

// SplitLocation returns the place and the manifest's key of a location, which names a savepoint's folder, its manifest, or
// the manifest of a checkpoint. The place is empty where the location is a key alone. ErrBadKey if nothing of it is such a
// key.
func SplitLocation(location string) (place, manifest string, err error) {
	path, query, found := strings.Cut(location, "?")
	path = strings.TrimSuffix(path, "/")
	for at := 0; ; {
		if key := manifestKey(path[at:]); key != "" {
			place = path[:max(at-1, 0)]
			if found && place != "" {
				place += "?" + query
			}
			return place, key, nil
		}
		next := strings.IndexByte(path[at:], '/')
		if next < 0 {
			return "", "", fmt.Errorf("%w: %q is neither <job>/savepoint/<id>-<unique> nor <job>/manifest/<id>-<term>-<unique> in a store", ErrBadKey, location)
		}
		at += next + 1
	}
}

// manifestKey returns the key of the manifest that a key leads to, "" if there is none.
func manifestKey(key string) string {
	for _, candidate := range []string{key, key + "/manifest"} {
		if _, err := ParseSavepointManifest(candidate); err == nil {
			return candidate
		}
	}
	if _, err := ParseManifestKey(key); err == nil {
		return key
	}
	return ""
}
