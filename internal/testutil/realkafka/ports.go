package realkafka

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// freePorts returns n different loopback ports on which nobody listened a moment ago.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range portTries {
		port := portsFirst + rand.IntN(portsLast-portsFirst)
		listener, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		defer listener.Close() // held until all are found, so that they differ
		if ports = append(ports, port); len(ports) == n {
			return ports, nil
		}
	}
	return nil, errors.New("find free loopback ports: none left")
}

func loopback(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
