package blobstore

import (
	"fmt"
	"strings"
)

// CheckKey returns ErrBadKey unless key is parts joined by single slashes, each of 1 to PartBytesMax bytes out of
// letters, digits and "_-.=", beginning with a letter, a digit or "_". So no key is absolute, climbs by "..", hides
// behind a dot, or means different things to different media. Stores call it first in every method.
//
// Beyond what a check of one key can see: no key may continue another as if that were a folder ("a" and "a/b"); a store
// may refuse the second with ErrBadKey.
func CheckKey(key string) error {
	if len(key) > KeyBytesMax {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrBadKey, len(key), KeyBytesMax)
	}
	for part := range strings.SplitSeq(key, "/") {
		if err := checkPart(part); err != nil {
			return fmt.Errorf("%w in %q", err, key)
		}
	}
	return nil
}

// CheckPrefix returns ErrBadKey unless prefix could begin a key: whole parts as CheckKey wants them, and a last part
// that may be empty. The empty prefix is right.
func CheckPrefix(prefix string) error {
	if strings.HasSuffix(prefix, "/") {
		return CheckKey(prefix[:len(prefix)-1])
	}
	if prefix == "" {
		return nil
	}
	return CheckKey(prefix)
}

func checkPart(part string) error {
	switch {
	case part == "":
		return fmt.Errorf("%w: empty part", ErrBadKey)
	case len(part) > PartBytesMax:
		return fmt.Errorf("%w: part of %d bytes, at most %d,", ErrBadKey, len(part), PartBytesMax)
	case !isWord(part[0]):
		return fmt.Errorf("%w: part begins with %q", ErrBadKey, part[0])
	}
	for i := range len(part) {
		if c := part[i]; !isWord(c) && c != '-' && c != '.' && c != '=' {
			return fmt.Errorf("%w: byte %q", ErrBadKey, c)
		}
	}
	return nil
}

func isWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}
