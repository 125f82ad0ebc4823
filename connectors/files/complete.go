package files

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a task manager may run where the system has no zones

	"millrace/failure"
	"millrace/options"
	"millrace/stream"
)

const (
	keyTrigger     = "sink.partition-commit.trigger"
	keyDelay       = "sink.partition-commit.delay"
	keyZone        = "sink.partition-commit.watermark-time-zone"
	keyPolicy      = "sink.partition-commit.policy.kind"
	keySuccessName = "sink.partition-commit.success-file.name"
	keyExtractor   = "partition.time-extractor.kind"
	keyPattern     = "partition.time-extractor.timestamp-pattern"
	keyFormatter   = "partition.time-extractor.timestamp-formatter"

	processTime   = "process-time"
	partitionTime = "partition-time"
	successFile   = "success-file"
)

// completion are the options that say when a partition is complete, and who is told.
var completion = []options.Option{
	{
		Key: keyTrigger, Type: options.Enum, Values: []string{processTime, partitionTime}, Default: processTime,
		Doc: "When a partition is complete: process-time goes by the clock and when the first of its files appeared, partition-time by the watermark and the time that is in the partition's values. Both wait for a checkpoint; the end of the input completes all.",
	},
	{Key: keyDelay, Type: options.Duration, Default: "0 s", Min: "0 s", Doc: "How long behind that a partition is complete."},
	{Key: keyZone, Default: "UTC", Example: "Europe/Berlin", Doc: "The time zone in which a partition's time is written, for the trigger partition-time."},
	{Key: keyPolicy, Type: options.Enum, Values: []string{successFile}, Doc: "What becomes of a complete partition: an empty file appears in it. Without the option nothing does. It may appear again behind rows that are late."},
	{Key: keySuccessName, Default: "_SUCCESS", Doc: "The name of that file."},
	{Key: keyExtractor, Type: options.Enum, Values: []string{"default"}, Default: "default", Doc: "How the time of a partition is found: as the next two options say."},
	{Key: keyPattern, Example: "$dt $hm:00", Doc: "What gives the time of a partition, with $ and a column's name for its value. Without it, it is the value of the first column."},
	{Key: keyFormatter, Default: "yyyy-MM-dd HH:mm:ss", Example: "yyyyMMddHH", Doc: "How that time is written, of y, M, d, H, m, s and what stands between them. In the default's form the clock may lack."},
}

// completed says when partitions are complete.
type completed struct {
	layout  *layout
	byTime  bool // by the watermark; otherwise by the clock
	delay   int64
	zone    *time.Location
	pattern string
	layouts []string // of Go, for the text of pattern
	name    string   // of the file that says so
}

// completedOf returns what the options say; nil: nobody is told.
func completedOf(l *layout, v options.Values) (*completed, error) {
	if !v.IsGiven(keyPolicy) {
		return nil, nil
	}
	var problems failure.Problems
	if len(l.keys) == 0 {
		problems.Addf("", keyPolicy, "the table has no partitions: PARTITIONED BY (...) names their columns")
	}
	c := &completed{
		layout: l, byTime: v.Text(keyTrigger) == partitionTime, delay: v.Duration(keyDelay).Milliseconds(),
		pattern: v.Text(keyPattern), name: v.Text(keySuccessName), layouts: []string{"2006-1-2 15:4:5", "2006-1-2"},
	}
	if c.name == "" || c.name == "." || c.name == ".." || strings.ContainsAny(c.name, "/\x00") || len(c.name) > directoryBytesMax {
		problems.Addf("", keySuccessName, "%q is no name of a file", c.name)
	}
	var err error
	if c.zone, err = time.LoadLocation(v.Text(keyZone)); err != nil || v.Text(keyZone) == "Local" {
		problems.Addf("", keyZone, "no time zone is named %q", v.Text(keyZone))
	}
	if c.pattern == "" && len(l.keys) > 0 {
		c.pattern = "$" + l.keys[0].name
	}
	if v.IsGiven(keyFormatter) {
		layout, err := layoutOfPattern(v.Text(keyFormatter))
		if err != nil {
			problems.Addf("", keyFormatter, "%v", err)
		}
		c.layouts = []string{layout}
	}
	return c, problems.Err()
}

// javaLetters are the letters of Java's patterns that have a counterpart.
var javaLetters = map[string]string{
	"yyyy": "2006", "yy": "06", "MM": "01", "M": "1", "dd": "02", "d": "2", "HH": "15", "H": "15", "mm": "04", "m": "4", "ss": "05", "s": "5",
	"uuuu": "2006",
}

// layoutOfPattern turns a pattern of Java's into a layout of Go's.
func layoutOfPattern(pattern string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			text, _, closed := strings.Cut(pattern[i+1:], "'")
			if !closed || strings.ContainsAny(text, "0123456789_") || text == "" {
				return "", fmt.Errorf("%s can't be read", pattern[i:])
			}
			b.WriteString(text)
			i += len(text) + 2
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := i
			for n < len(pattern) && pattern[n] == c {
				n++
			}
			letters, known := javaLetters[pattern[i:n]]
			if !known {
				return "", fmt.Errorf("%s can't be read; y, M, d, H, m and s can", pattern[i:n])
			}
			b.WriteString(letters)
			i = n
		case c >= '0' && c <= '9' || c == '_':
			return "", fmt.Errorf("%c can't stand in it", c)
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), nil
}

// check tells whether the time of a partition is known, where it decides.
func (c *completed) check(dir string) error {
	if c == nil || !c.byTime {
		return nil
	}
	_, err := c.timeOf(dir)
	return err
}

// timeOf returns the time of a partition, in milliseconds since 1970.
func (c *completed) timeOf(dir string) (int64, error) {
	texts, err := c.layout.texts(dir)
	if err != nil {
		return 0, err
	}
	keys := make([]int, len(texts))
	for i := range keys {
		keys[i] = i
	}
	// $dt must not be taken for $d and a t.
	slices.SortFunc(keys, func(a, b int) int { return cmp.Compare(len(c.layout.keys[b].name), len(c.layout.keys[a].name)) })
	var pairs []string
	for _, i := range keys {
		text := c.layout.absent
		if texts[i] != nil {
			text = *texts[i]
		}
		pairs = append(pairs, "$"+c.layout.keys[i].name, text)
	}
	text := strings.NewReplacer(pairs...).Replace(c.pattern)
	for _, layout := range c.layouts {
		if at, err := time.ParseInLocation(layout, text, c.zone); err == nil {
			return at.UnixMilli(), nil
		}
	}
	return 0, failure.Userf("partition %s: %q is no time, and %s = %s goes by it: see %s and %s, or leave such rows out", dir, text, keyTrigger, partitionTime, keyPattern, keyFormatter)
}

// progress is how far the input was at a checkpoint.
type progress struct {
	watermark stream.Watermark
	now       int64 // of the clock, in milliseconds
}

// ended tells that all rows there are have been written.
func (p progress) ended() bool { return p.watermark == stream.MaxWatermark }

// due tells whether a partition is complete that was begun at a time of the clock.
func (c *completed) due(dir string, begun int64, p progress) (bool, error) {
	switch {
	case p.ended():
		return true, nil
	case !c.byTime:
		return c.delay == 0 || p.now-begun > c.delay, nil
	case p.watermark == stream.NoWatermark:
		return false, nil
	}
	at, err := c.timeOf(dir)
	return err == nil && int64(p.watermark) > at+c.delay, err
}

// lastOf returns an epoch of the last checkpoint among those of epochs.
func lastOf(epochs []epochFiles) epochFiles {
	return slices.MaxFunc(epochs, func(a, b epochFiles) int { return cmp.Compare(a.checkpoint, b.checkpoint) })
}

// progressOf returns how far the input was at the last of the checkpoints that epochs are of. Where a writer's is
// missing, nobody knows.
func progressOf(epochs []epochFiles, now int64) progress {
	p := progress{watermark: stream.NoWatermark, now: now}
	if len(epochs) == 0 {
		return p
	}
	last := lastOf(epochs)
	writers := make(map[int32]bool)
	least := stream.MaxWatermark
	for _, e := range epochs {
		if e.checkpoint == last.checkpoint {
			writers[e.writer.Subtask] = true
			least = min(least, e.watermark)
		}
	}
	if len(writers) == int(last.writer.Parallelism) {
		p.watermark = least
	}
	return p
}
