package netns

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// TestDelayedBytes: each byte comes exactly as late as it was told when it was sent, and in its order. The clock is the
// bubble's.
func TestDelayedBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &proxy{}
		in, feed := io.Pipe()
		out, sink := io.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- p.carry(t.Context(), sink, in)
			sink.Close()
		}()
		began := time.Now()
		for _, step := range []struct {
			text  string
			delay time.Duration
		}{{"a", time.Second}, {"b", 3 * time.Second}, {"c", 0}} {
			p.delay.Store(int64(step.delay))
			if _, err := feed.Write([]byte(step.text)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // it is read
		}
		feed.Close()
		var b [1]byte
		// The last one was not delayed, but stays behind the others.
		for _, want := range []struct {
			text string
			at   time.Duration
		}{{"a", time.Second}, {"b", 3 * time.Second}, {"c", 3 * time.Second}} {
			if _, err := out.Read(b[:]); err != nil || string(b[:]) != want.text || time.Since(began) != want.at {
				t.Fatalf("after %s: %q, %v, want %q after %s", time.Since(began), b[:], err, want.text, want.at)
			}
		}
		if _, err := out.Read(b[:]); !errors.Is(err, io.EOF) {
			t.Errorf("at the end: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
