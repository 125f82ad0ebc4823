package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// tools are the commands that are needed, and the packages that have them.
var tools = map[string]string{"ip": "iproute2", "tc": "iproute2", "nft": "nftables"}

// tool returns the path of a command, which may lie where only root's PATH looks.
func tool(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range []string{"/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// usable tells why there can be no network here, after it has installed what is missing and can be installed.
func usable(say func(format string, args ...any)) error {
	if runtime.GOOS != "linux" {
		return errors.New("network namespaces need Linux")
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces need root")
	}
	if len(missing()) == 0 {
		return nil
	}
	if err := os.MkdirAll(locksDir, 0o755); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(locksDir, "install"))
	if err != nil {
		return err
	}
	defer unlock()
	packages := missing()
	if len(packages) == 0 {
		return nil // another process was faster
	}
	if tool("apt-get") == "" {
		return fmt.Errorf("need %s: install them, then try again", strings.Join(packages, " and "))
	}
	say("installing %s with apt-get", strings.Join(packages, " and "))
	return install(packages)
}

// missing returns the packages of the commands that are not there.
func missing() []string {
	var out []string
	if tool("ip") == "" || tool("tc") == "" {
		out = append(out, tools["ip"])
	}
	if tool("nft") == "" {
		out = append(out, tools["nft"])
	}
	return out
}

func install(packages []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), installLimit)
	defer cancel()
	for _, arguments := range [][]string{
		{"update", "-qq"},
		append([]string{"install", "-y", "-qq", "--no-install-recommends"}, packages...),
	} {
		command := exec.CommandContext(ctx, tool("apt-get"), arguments...)
		command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if err := complete(command); err != nil {
			return fmt.Errorf("install %s: %w", strings.Join(packages, " and "), err)
		}
	}
	return nil
}

func runAll(commands [][]string) error {
	for _, c := range commands {
		if _, err := run(c[0], c[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// run carries out a command and returns what it prints; the error quotes what it complains of.
func run(name string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	command := exec.CommandContext(ctx, tool(name), arguments...)
	var out strings.Builder
	command.Stdout = &out
	err := complete(command)
	return out.String(), err
}

func runInput(input, name string, arguments ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandLimit)
	defer cancel()
	command := exec.CommandContext(ctx, tool(name), arguments...)
	command.Stdin = strings.NewReader(input)
	return complete(command)
}

func complete(command *exec.Cmd) error {
	var complaints strings.Builder
	command.Stderr = &complaints
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, strings.TrimSpace(complaints.String()))
	}
	return nil
}
