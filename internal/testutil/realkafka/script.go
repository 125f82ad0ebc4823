package realkafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

const scriptPath = "deploy/kafka/broker.sh"

// findScript looks upwards from the working directory, then from this source file.
func findScript() (string, error) {
	var starts []string
	if dir, err := os.Getwd(); err == nil {
		starts = append(starts, dir)
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		starts = append(starts, filepath.Dir(file))
	}
	for _, dir := range starts {
		if path, ok := scriptAbove(dir); ok {
			return path, nil
		}
	}
	return "", errors.New("find " + scriptPath + ": not in this folder nor above it")
}

func scriptAbove(dir string) (string, bool) {
	for {
		path := filepath.Join(dir, scriptPath)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, true
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", false
		}
		dir = above
	}
}

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
