package realserver

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
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
