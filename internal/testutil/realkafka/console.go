package realkafka

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strconv"
	"time"

	"millrace/internal/testutil/child"
)

// Isolation says which records a reader sees.
type Isolation string

// The isolation levels, in Kafka's words.
const (
	ReadCommitted   Isolation = "read_committed"
	ReadUncommitted Isolation = "read_uncommitted"
)

// ConsoleOptions say what ConsoleConsumer reads.
type ConsoleOptions struct {
	Topic string
	// Isolation defaults to ReadCommitted.
	Isolation Isolation
	// RecordsMax ends the run after so many records; 0 means that only IdleTime ends it.
	RecordsMax int
	// IdleTime ends the run when no record came for so long. Default: 5 s. It is Kafka's own limit, so the wait for the
	// first record, which includes joining the partitions, counts.
	IdleTime time.Duration
}

func (o *ConsoleOptions) ensureDefaults() {
	if o.Isolation == "" {
		o.Isolation = ReadCommitted
	}
	if o.IdleTime <= 0 {
		o.IdleTime = 5 * time.Second
	}
}

func (o *ConsoleOptions) arguments(addr string) []string {
	arguments := []string{
		"console-consumer", "--bootstrap-server", addr, "--topic", o.Topic, "--from-beginning",
		"--isolation-level", string(o.Isolation), "--timeout-ms", strconv.FormatInt(o.IdleTime.Milliseconds(), 10),
	}
	if o.RecordsMax > 0 {
		arguments = append(arguments, "--max-messages", strconv.Itoa(o.RecordsMax))
	}
	return arguments
}

// ConsoleConsumer reads a topic from its beginning with Kafka's own console consumer, a reader that shares no code
// with us, and yields each record's value. Values hold no line ends: the tool separates them by one. A value is
// valid until the next; one longer than 16 MiB ends the run with an error. After an error nothing follows.
// Leaving the loop early, or ctx, ends the reader's process.
func (b *Broker) ConsoleConsumer(ctx context.Context, options ConsoleOptions) iter.Seq2[[]byte, error] {
	options.ensureDefaults()
	arguments := options.arguments(b.Addr())
	return func(yield func([]byte, error) bool) {
		if err := b.consume(ctx, arguments, func(value []byte) bool { return yield(value, nil) }); err != nil {
			yield(nil, fmt.Errorf("console consumer on %s: %w", options.Topic, err))
		}
	}
}

func (b *Broker) consume(ctx context.Context, arguments []string, accept func([]byte) bool) error {
	output, input, err := os.Pipe()
	if err != nil {
		return err
	}
	defer output.Close()
	var complaints bytes.Buffer
	command := exec.CommandContext(ctx, b.settings.script, arguments...)
	command.Stdout, command.Stderr = input, &complaints
	reader, err := child.Start(command)
	input.Close() // the child has its own descriptor; ours would keep the pipe from ending
	if err != nil {
		return err
	}
	accept, notStarted := startedFirst(accept)
	left, scanErr := scanLines(output, accept)
	if left || scanErr != nil {
		reader.Kill()
		return errors.Join(scanErr, notStarted())
	}
	<-reader.Ended
	if reader.Err != nil {
		return fmt.Errorf("%w: %s", reader.Err, tail(complaints.Bytes()))
	}
	return nil
}

// ErrNotStarted says that the reader's Java machine did not come up, as happens when memory is short for a moment. Nothing
// was read; trying again may help.
var ErrNotStarted = errors.New("the Java machine did not start")

// startedFirst returns an accept that takes what Java prints instead of records when it can't start for what it is: it
// prints that to the standard output.
func startedFirst(accept func([]byte) bool) (checked func([]byte) bool, notStarted func() error) {
	var err error
	first := true
	return func(line []byte) bool {
		if first && bytes.HasPrefix(line, []byte("Error occurred during initialization of VM")) {
			err = ErrNotStarted
			return false
		}
		first = false
		return accept(line)
	}, func() error { return err }
}

// scanLines reports whether the caller left before the end.
func scanLines(output *os.File, accept func([]byte) bool) (bool, error) {
	lines := bufio.NewScanner(output)
	lines.Buffer(make([]byte, 64<<10), valueBytesMax)
	for lines.Scan() {
		if !accept(lines.Bytes()) {
			return true, nil
		}
	}
	return false, lines.Err()
}
