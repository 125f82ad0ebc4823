package child

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	// portsFirst and portsLast lie below the range from which Linux draws the ports of outgoing connections, so that
	// a port stays free while its process is down.
	portsFirst, portsLast = 20000, 32000
	// portTries is how many ports are probed before giving up.
	portTries = 200
)

// FreeAddresses returns n different addresses of loopback on which nobody listened a moment ago. Another process may
// still be faster to one of them.
func FreeAddresses(n int) ([]string, error) {
	var addresses []string
	for range portTries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(portsFirst+rand.IntN(portsLast-portsFirst)))
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		defer listener.Close() // held until all are found, so that they differ
		if addresses = append(addresses, address); len(addresses) == n {
			return addresses, nil
		}
	}
	return nil, errors.New("find free loopback ports: none left")
}
