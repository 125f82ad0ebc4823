package platformtest

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"millrace/internal/crash"
)

// Address is where the part serves.
func (p *Part) Address() string { return p.address }

// Hold makes the part pause when it comes to a crash point, with the write that it has decided. It returns at once.
func (p *Part) Hold(t *testing.T, point string) {
	t.Helper()
	if err := crash.Order(p.orders, point, true); err != nil {
		t.Fatal(err)
	}
}

// CrashAt makes the part end, as by kill -9, when it comes to a crash point. It returns at once.
func (p *Part) CrashAt(t *testing.T, point string) {
	t.Helper()
	if err := crash.Order(p.orders, point, false); err != nil {
		t.Fatal(err)
	}
}

// Unhold takes an order back that was not carried out. It tells whether there was one.
func (p *Part) Unhold() bool { return os.Remove(p.orders) == nil }

// Mark is a place in what a part has logged. The zero Mark is the beginning.
type Mark int64

// Mark returns where the log ends now.
func (p *Part) Mark(t *testing.T) Mark {
	t.Helper()
	f, err := os.Stat(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return Mark(f.Size())
}

// Said returns the lines behind a mark that have every one of the texts. A part that is started again logs on.
func (p *Part) Said(t *testing.T, from Mark, texts ...string) (lines []string) {
	t.Helper()
	f, err := os.Open(p.log)
	if err == nil {
		_, err = f.Seek(int64(from), io.SeekStart)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := bufio.NewScanner(f)
	all.Buffer(nil, logLineBytesMax)
	for all.Scan() {
		if HasAll(all.Text(), texts) {
			lines = append(lines, all.Text())
		}
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// AwaitSaid waits until the part has said that behind a mark.
func (p *Part) AwaitSaid(ctx context.Context, t *testing.T, from Mark, texts ...string) {
	t.Helper()
	Await(ctx, t, p.Name+" to say "+strings.Join(texts, ", "), func() bool { return len(p.Said(t, from, texts...)) > 0 })
}

// logLineBytesMax bounds a line of a log; stacks of a panic are lines of their own.
const logLineBytesMax = 4 << 20

// HasAll tells whether a text has every one of the others.
func HasAll(said string, texts []string) bool {
	for _, text := range texts {
		if !strings.Contains(said, text) {
			return false
		}
	}
	return true
}
