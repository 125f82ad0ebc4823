package realkafka

import (
	"context"
	"fmt"
	"os/exec"
)

const scriptPath = "deploy/kafka/broker.sh"

// Fetch makes Kafka's class path ready, which Launch and Start do by themselves. Call it earlier to keep a download of
// minutes out of a measured or limited time. It is cheap when there is nothing to do.
func Fetch(ctx context.Context, options ...Option) error {
	s, err := settingsOf(options)
	if err != nil {
		return err
	}
	return s.fetch(ctx)
}

func (s *settings) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	return s.run(ctx, "fetch")
}

func (s *settings) format(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, formatLimit)
	defer cancel()
	return s.run(ctx, append([]string{"format", dir}, s.features...)...)
}

// run carries out one command of the script and quotes what it said if it fails.
func (s *settings) run(ctx context.Context, arguments ...string) error {
	output, err := exec.CommandContext(ctx, s.script, arguments...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("broker.sh %s: %w: %s", arguments[0], err, tail(output))
	}
	return nil
}

func tail(text []byte) []byte {
	return text[max(0, len(text)-logTailBytes):]
}
