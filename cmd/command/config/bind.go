package config

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"millrace/failure"
)

// ClusterAddress is where commands look for a cluster that they are not told.
func (c Config) ClusterAddress() string { return join(c.Text(Address), c.Int(Port)) }

// ServeAddress is where a cluster serves its clients, or the user's error if that is beyond loopback and not allowed.
func (c Config) ServeAddress() (string, error) {
	address := join(c.Text(BindAddress), c.Int(Port))
	return address, c.mayBind(BindAddress, address)
}

// AdminAddress is where metrics, profiles and reflection are served, or the user's error as of ServeAddress.
func (c Config) AdminAddress() (string, error) {
	address := c.Text(AdminAddress)
	return address, c.mayBind(AdminAddress, address)
}

// DataAddress is where a task manager takes rows, or the user's error as of ServeAddress.
func (c Config) DataAddress() (string, error) {
	address := c.Text(DataBind)
	return address, c.mayBind(DataBind, address)
}

// TaskManagerLabels returns a task manager's labels by name.
func (c Config) TaskManagerLabels() (map[string]string, error) {
	out := make(map[string]string)
	for _, text := range c.List(Labels) {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return nil, failure.Message{Field: Labels, Primary: "not a label", Detail: text, Hint: "for example zone=a"}
		}
		out[name] = value
	}
	return out, nil
}

func join(host string, port int64) string { return net.JoinHostPort(host, strconv.FormatInt(port, 10)) }

func (c Config) mayBind(key, address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return failure.Message{Field: key, Primary: "not an address", Detail: address, Hint: "for example 127.0.0.1:0"}
	}
	if c.Bool(InsecureBind) || isLoopback(host) {
		return nil
	}
	return failure.Message{
		Field: key, Primary: "is beyond loopback, and there is neither encryption nor authentication yet", Detail: address,
		Hint: "bind 127.0.0.1, or give --insecure-bind if everybody who reaches this address may run jobs",
	}
}

// isLoopback tells whether a host can be reached from this machine only. A name other than localhost is not trusted: what
// it stands for may change.
func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// CheckpointPlace returns where checkpoints go, "" for the place below the working folder.
func (c Config) CheckpointPlace() (string, error) {
	key, place := CheckpointDir, c.Text(CheckpointDir)
	if place == "" {
		key, place = oldCheckpoints, c.Text(oldCheckpoints)
	}
	scheme, _, isURI := strings.Cut(place, ":")
	if !isURI || strings.Contains(scheme, "/") || scheme == "file" || scheme == "s3" {
		return place, nil
	}
	return "", failure.Message{
		Field: key, Primary: "only folders and buckets of S3 are known", Detail: place,
		Hint: "for example file:///var/lib/millrace, or s3://bucket/prefix?region=eu-central-1",
	}
}
