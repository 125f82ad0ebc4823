package supervise

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"millrace/failure"
	"millrace/internal/child"
)

// Spec says what a role is.
type Spec struct {
	// Name is the role's, for people, and its log's.
	Name string
	// Arguments of the program, given where the role serves; an address is "" until it is known.
	Arguments func(serves func(label string) string) []string
	// Labels are those of the lines in which a child says where it serves: "  jobs  127.0.0.1:8081".
	Labels []string
}

// Role is a role that is kept running. Use Supervisor.Start.
type Role struct {
	spec   Spec
	of     *Supervisor
	log    string
	stop   context.CancelFunc
	ended  chan struct{} // when nobody keeps it running any more
	mu     sync.Mutex
	child  *child.Process
	serves map[string]string
}

// Name returns the role's name.
func (r *Role) Name() string { return r.spec.Name }

// Log returns the file that has what the role's children said.
func (r *Role) Log() string { return r.log }

// Serves returns where the role serves, by a label of its Spec.
func (r *Role) Serves(label string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.serves[label]
}

// PID returns the process id of the role's child, of the last one while there is none.
func (r *Role) PID() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.child.ID
}

// spawn starts a child and returns when it serves.
func (r *Role) spawn(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, fmt.Errorf("not within %s", startTimeout))
	defer cancel()
	served := make(chan struct{})
	c, err := r.launch(func() { close(served) })
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.child = c
	r.mu.Unlock()
	select {
	case <-served:
		return nil
	case <-c.Ended:
		return died(c)
	case <-ctx.Done():
		c.Kill()
		return fmt.Errorf("does not say where it serves: %w", context.Cause(ctx))
	}
}

// launch starts a child, which goes on to write to the log, and calls serves once it has said where it serves.
func (r *Role) launch(serves func()) (*child.Process, error) {
	log, err := os.OpenFile(r.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, err
	}
	output, theirs, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	command := exec.Command(r.of.Program, r.spec.Arguments(r.Serves)...) //nolint:noctx // it ends by Stop, in its order
	command.Stdout, command.Stderr, command.Env = theirs, log, r.of.Env
	c, err := child.Start(command)
	_ = theirs.Close() // the child has its own descriptor; ours would keep the pipe from ending
	if err != nil {
		return nil, errors.Join(err, output.Close(), log.Close())
	}
	r.of.wait.Go(func() {
		r.listen(io.TeeReader(output, log), serves)
		_, _ = io.Copy(log, output) // of a line that was too long
		_ = output.Close()
		_ = log.Close()
	})
	return c, nil
}

// listen reads a child's output until it ends.
func (r *Role) listen(output io.Reader, serves func()) {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, lineBytesMax)
	missing := make(map[string]bool)
	for _, l := range r.spec.Labels {
		missing[l] = true
	}
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) != 2 || !missing[words[0]] {
			continue
		}
		r.mu.Lock()
		r.serves[words[0]] = words[1]
		r.mu.Unlock()
		if delete(missing, words[0]); len(missing) == 0 {
			serves()
		}
	}
}

// keep starts the role again whenever it died.
func (r *Role) keep(ctx context.Context) {
	defer close(r.ended)
	wait, deaths := restartMin, 0
	for {
		began := r.of.Clock.Now()
		select {
		case <-ctx.Done():
			return
		case <-r.child.Ended: // only this goroutine changes it
		}
		err := died(r.child)
		if r.of.Clock.Now().Sub(began) >= steadyAfter {
			wait, deaths = restartMin, 0
		}
		for err != nil {
			if deaths++; deaths > restartsMax || failure.ClassOf(err).Retry == failure.Never {
				r.of.fail(fmt.Errorf("%s died %d times in a row: %w; it said at last:\n%s", r.spec.Name, deaths, err, r.lastWords()))
				return
			}
			fmt.Fprintf(r.of.Out, "%s (process %d) %v; it is started again in %s\n%s", r.spec.Name, r.PID(), err, wait, r.lastWords())
			select {
			case <-ctx.Done():
				return
			case <-r.of.Clock.After(wait):
			}
			wait = min(2*wait, restartMax)
			if err = r.spawn(ctx); ctx.Err() != nil {
				return
			}
		}
		fmt.Fprintf(r.of.Out, "%s runs again: process %d\n", r.spec.Name, r.PID())
	}
}

// exitUser is how the program says that something of the user's has to change: no restart mends that.
const exitUser = 2

// died says how a child ended; it is never nil.
func died(c *child.Process) error {
	err := c.Err
	if err == nil {
		err = errors.New("exit status 0")
	}
	err = fmt.Errorf("ended: %w", err)
	if exit, ok := errors.AsType[*exec.ExitError](c.Err); ok && exit.ExitCode() == exitUser {
		return failure.User(err)
	}
	return failure.External(err, failure.Restart)
}

// lastWords returns the last lines of the role's log, indented.
func (r *Role) lastWords() string {
	text, err := tail(r.log)
	if err != nil {
		return "  " + err.Error() + "\n"
	}
	lines := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	var out strings.Builder
	for _, l := range lines[max(0, len(lines)-lastLinesMax):] {
		fmt.Fprintf(&out, "  %s\n", l)
	}
	return out.String()
}

func tail(file string) ([]byte, error) {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(max(0, info.Size()-lastBytesMax), io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, lastBytesMax))
}

// Stop ends the role in good order, and by force where that takes longer than the patience; none is force at once.
func (r *Role) Stop(patience time.Duration) {
	r.stop()
	<-r.ended
	if patience > 0 {
		r.child.Signal(syscall.SIGTERM)
		select {
		case <-r.child.Ended:
		case <-r.of.Clock.After(patience):
		}
	}
	r.child.Kill()
}
