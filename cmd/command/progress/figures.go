package progress

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"millrace/cmd/command/client"
	apiv1 "millrace/proto/millrace/api/v1"
)

// Figures is what is known of a job from the events so far. The zero value has seen none. It is not safe for concurrent use.
type Figures struct {
	state apiv1.JobState
	last  *apiv1.Progress
	at    time.Time // of last
	// in and out are rows a second, between the last two events.
	in, out    float64
	checkpoint *apiv1.CheckpointDescription
}

// Observe takes an event. It returns what happened in one line, or "" if only figures changed.
func (f *Figures) Observe(e *apiv1.WatchJobResponse) string {
	at := e.Time.AsTime()
	switch e := e.Event.(type) {
	case *apiv1.WatchJobResponse_State:
		if e.State.State == f.state {
			return ""
		}
		f.state = e.State.State
		return StateName(f.state) + because(e.State.Reason)
	case *apiv1.WatchJobResponse_CheckpointCompleted:
		f.checkpoint = e.CheckpointCompleted
	case *apiv1.WatchJobResponse_CheckpointFailed:
		return fmt.Sprintf("checkpoint %d failed", e.CheckpointFailed.CheckpointId) + because(e.CheckpointFailed.Reason)
	case *apiv1.WatchJobResponse_Restarted:
		f.in, f.out = 0, 0
		return "restarts from the last checkpoint" + because(e.Restarted.Reason)
	case *apiv1.WatchJobResponse_Progress:
		f.progress(e.Progress, at)
	}
	return ""
}

// progress takes the figures of an event and the time that it carries.
func (f *Figures) progress(p *apiv1.Progress, at time.Time) {
	if f.last != nil {
		f.in = rate(p.SourceRecords-f.last.SourceRecords, at.Sub(f.at))
		f.out = rate(p.SinkRecords-f.last.SinkRecords, at.Sub(f.at))
	}
	f.last, f.at = p, at
	if p.LastCheckpoint != nil {
		f.checkpoint = p.LastCheckpoint
	}
}

// rate is 0 where counters went back, as they do with a restart.
func rate(rows int64, over time.Duration) float64 {
	if rows <= 0 || over <= 0 {
		return 0
	}
	return float64(rows) / over.Seconds()
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}

// ended tells whether the job is over: its figures are final.
func (f *Figures) ended() bool { return client.Ended(f.state) }

// StateName returns the word of a state: RUNNING.
func StateName(s apiv1.JobState) string { return strings.TrimPrefix(s.String(), "JOB_STATE_") }

// Line returns all figures in one line.
func (f *Figures) Line() string {
	parts := []string{StateName(f.state)}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	p := f.last
	if p == nil {
		p = &apiv1.Progress{Watermark: math.MinInt64}
	}
	add("in %s (%s/s)", Count(float64(p.SourceRecords)), Count(f.in))
	add("out %s (%s/s)", Count(float64(p.SinkRecords)), Count(f.out))
	add("%s", watermark(p.Watermark, f.at))
	if c := f.checkpoint; c != nil && c.DurationMillis == 0 && c.WrittenBytes == 0 {
		add("checkpoint %d", c.CheckpointId) // completed under another leader
	} else if c != nil {
		add("checkpoint %d (%s, %s)", c.CheckpointId, millis(c.DurationMillis), Bytes(c.WrittenBytes))
	}
	add("restarts %d", p.Restarts)
	if p.Late > 0 {
		add("late %d", p.Late)
	}
	if n := p.Skipped + p.DeadLetters; n > 0 {
		add("undecodable %d", n)
	}
	if p.Trouble != "" {
		add("trouble: %s", p.Trouble)
	}
	return strings.Join(parts, "  ")
}

// lagMax is the lag up to which it tells more than the watermark itself; beyond, the input is history.
const lagMax = 24 * time.Hour

// watermark tells how far event time is behind, or where it is.
func watermark(w int64, now time.Time) string {
	switch w {
	case math.MinInt64:
		return "no watermark"
	case math.MaxInt64:
		return "watermark at the end"
	}
	at := time.UnixMilli(w).UTC()
	if lag := now.Sub(at); lag >= 0 && lag < lagMax {
		return "watermark lag " + millis(lag.Milliseconds())
	}
	return "watermark " + at.Format("2006-01-02 15:04:05")
}

func millis(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10) + " ms"
	case n < 60_000:
		return strconv.FormatFloat(float64(n)/1000, 'f', 1, 64) + " s"
	}
	return (time.Duration(n/1000) * time.Second).String()
}

// Count prints a number of things in three or four digits: 1.23 M.
func Count(n float64) string { return scaled(n, 1000, []string{"", " K", " M", " G", " T"}) }

// Bytes prints a number of bytes: 4.5 MiB.
func Bytes(n int64) string {
	return scaled(float64(n), 1024, []string{" B", " KiB", " MiB", " GiB", " TiB"})
}

func scaled(n, base float64, units []string) string {
	unit := 0
	for n >= base && unit < len(units)-1 {
		n /= base
		unit++
	}
	digits := 0
	if unit > 0 {
		digits = max(0, 2-int(math.Log10(max(n, 1))))
	}
	return strconv.FormatFloat(n, 'f', digits, 64) + units[unit]
}
