package realkafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"millrace/internal/testutil/child"
)

// Broker is a running or killed Kafka broker. Its methods are not safe for concurrent use, except Addr, and that
// ConsoleConsumer may run while the broker is killed and restarted.
type Broker struct {
	settings   settings
	dir        string
	address    string
	controller string
	process    *child.Process
}

// Launch formats dir if it holds no broker yet, starts a broker there on free loopback ports and returns once it
// answers metadata. The caller owns dir and the Broker, and calls Close. ctx bounds the launch, not the broker's life.
func Launch(ctx context.Context, dir string, options ...Option) (*Broker, error) {
	s, err := settingsOf(options)
	if err != nil {
		return nil, err
	}
	if err := s.fetch(ctx); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "meta.properties")); err != nil {
		if err := s.format(ctx, dir); err != nil {
			return nil, err
		}
	}
	for range launchAttempts {
		b := &Broker{settings: s, dir: dir}
		if err = b.launch(ctx); err == nil {
			return b, nil
		}
		if !portTaken(err) {
			break
		}
	}
	return nil, err
}

func (b *Broker) launch(ctx context.Context) error {
	addresses, err := b.settings.host.FreeAddresses(2)
	if err != nil {
		return err
	}
	b.address, b.controller = addresses[0], addresses[1]
	return b.start(ctx)
}

// Addr is the broker's host and port; it stays the same through Kill and Restart.
func (b *Broker) Addr() string { return b.address }

// PID is the process id of the running or last run broker.
func (b *Broker) PID() int { return b.process.ID }

// LogPath names the file to which the broker's log is appended.
func (b *Broker) LogPath() string { return filepath.Join(b.dir, "broker.log") }

// Kill ends the broker with SIGKILL and returns when it is gone. A broker that is down stays down.
func (b *Broker) Kill() { b.process.Kill() }

// Pause stops the broker where it is (SIGSTOP): its connections stay open and nothing answers on them. Kill ends a paused one.
func (b *Broker) Pause() { b.process.Signal(syscall.SIGSTOP) }

// Resume lets a paused broker go on.
func (b *Broker) Resume() { b.process.Signal(syscall.SIGCONT) }

// Stop asks the broker to end in good order, and kills it if that takes too long.
func (b *Broker) Stop() {
	b.process.Signal(syscall.SIGTERM)
	select {
	case <-b.process.Ended:
	case <-time.After(stopLimit):
		b.process.Kill()
	}
}

// Close ends the broker without ceremony; its data stays in the folder. Closing twice is harmless.
func (b *Broker) Close() { b.Kill() }

// Restart kills the broker if it runs, starts it on the same data and ports and returns once it answers metadata.
func (b *Broker) Restart(ctx context.Context) error {
	b.Kill()
	return b.start(ctx)
}

// portTaken reports that a broker ended because another process was faster to its port; only the log says so.
func portTaken(err error) bool {
	return errors.Is(err, errEnded) && strings.Contains(err.Error(), "Address already in use")
}

var errEnded = errors.New("the broker ended before it was ready")

func (b *Broker) start(ctx context.Context) error {
	if err := b.spawn(); err != nil {
		return fmt.Errorf("start kafka: %w", err)
	}
	if err := b.awaitReady(ctx); err != nil {
		b.Kill()
		return fmt.Errorf("start kafka on %s: %w: %s", b.Addr(), err, b.logTail())
	}
	return nil
}

func (b *Broker) spawn() error {
	log, err := os.OpenFile(b.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own descriptor
	arguments := []string{"start", b.dir, portOf(b.address), portOf(b.controller)}
	command := b.settings.host.Command(b.settings.script, append(arguments, b.settings.properties...)...)
	command.Stdout, command.Stderr = log, log
	command.Env = append(os.Environ(), "MILLRACE_KAFKA_HOST="+b.settings.host.IP())
	if b.settings.heap != "" {
		command.Env = append(command.Env, "MILLRACE_KAFKA_HEAP="+b.settings.heap)
	}
	b.process, err = child.Start(command)
	return err
}

// awaitReady asks for metadata until a controller is known and the broker is in it.
func (b *Broker) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	client, err := b.client()
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		err := askMetadata(ctx, client)
		if err == nil {
			return nil
		}
		select {
		case <-b.process.Ended:
			return errors.Join(errEnded, b.process.Err)
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(readyPause):
		}
	}
}

func askMetadata(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{}
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	if len(answer.Brokers) == 0 || answer.ControllerID < 0 {
		return errors.New("no broker is registered yet")
	}
	return nil
}

func (b *Broker) client() (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RequestRetries(0), kgo.DisableClientMetrics())
}

func (b *Broker) logTail() []byte {
	text, err := os.ReadFile(b.LogPath())
	if err != nil {
		return []byte(err.Error())
	}
	return tail(text)
}

// portOf returns the port of an address.
func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address) // one of FreeAddresses
	return port
}
