package realkafka

import (
	"fmt"
	"path/filepath"

	"millrace/internal/testutil/netns"
	"millrace/internal/testutil/repository"
)

// Option changes how a broker is formatted or started.
type Option func(*settings)

type settings struct {
	features   []string
	properties []string
	script     string
	heap       string
	host       *netns.Host
}

// Feature formats the data folder with a feature at a level, as in Feature("transaction.version", 1). Default: the
// levels of the release, which for transaction.version is 2.
func Feature(name string, level int) Option {
	return func(s *settings) { s.features = append(s.features, fmt.Sprintf("%s=%d", name, level)) }
}

// Property adds a line to the broker's configuration; it wins over the line of deploy/kafka/broker.properties.
func Property(key, value string) Option {
	return func(s *settings) { s.properties = append(s.properties, key+"="+value) }
}

// Heap sets the broker's largest heap in the JVM's notation. Default: 768m.
func Heap(size string) Option {
	return func(s *settings) { s.heap = size }
}

// On runs the broker on a host. Default: this machine, on loopback.
func On(host *netns.Host) Option {
	return func(s *settings) { s.host = host }
}

// Script names deploy/kafka/broker.sh. Default: the one of the repository around the working directory, or else the
// one beside this package's source.
func Script(path string) Option {
	return func(s *settings) { s.script = path }
}

func settingsOf(options []Option) (settings, error) {
	var s settings
	for _, option := range options {
		option(&s)
	}
	if s.script != "" {
		return s, nil
	}
	root, err := repository.Root(scriptPath)
	s.script = filepath.Join(root, scriptPath)
	return s, err
}
