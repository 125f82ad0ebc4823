package etcd

import (
	"crypto/tls"
	"fmt"
	"time"

	"millrace/failure"
	"millrace/internal/clock"
	"millrace/jobmanager/coord"
)

const (
	sessionTTLMin = 5 * time.Second
	sessionTTLMax = 10 * time.Second
	// requestBytesMax is the largest message to and from the server: a transaction of coord.TxnBytesMax goes, and a page
	// of a list comes back.
	requestBytesMax = 4 << 20
	listPage        = 100
	// A member that is cut off or stopped leaves its connections open and says nothing on them: calls, leases and watches
	// on such a connection would wait as long as it does. So a connection that is silent for keepAliveTime while something
	// waits on it is asked, and given up after keepAliveTimeout more; the others take over. gRPC asks no more often than
	// every 10 s, and the server suffers it every 5 s. This is longer than a lease: whoever had his on that member leads no
	// longer, and the next campaign is on another.
	keepAliveTime    = 10 * time.Second
	keepAliveTimeout = 3 * time.Second
)

// Options says where the servers are and how to speak to them.
type Options struct {
	// Endpoints are the servers' client addresses, at least one.
	Endpoints []string
	// Cluster is the name of the Millrace cluster, whose keys are under coord.ClusterPrefix; "default" by default.
	Cluster string
	// SessionTTL is how long a leader may be silent before it loses the leadership, 5 to 10 s; 8 s by default. Worst
	// case: a cluster has no leader for so long after its leader died. Whole seconds.
	SessionTTL time.Duration
	// DialTimeout bounds making a connection, RequestTimeout a single call; 5 s by default.
	DialTimeout, RequestTimeout time.Duration
	// TLS is the client's TLS configuration; nil means plain text, for loopback only.
	TLS *tls.Config
	// Username and Password are for servers with authentication; empty means none.
	Username, Password string
	// Clock measures the pause before a broken watch is made anew; clock.System by default. Leases go by the servers' time.
	Clock clock.Clock
}

// String prints the options without the password.
func (o Options) String() string {
	return fmt.Sprintf("endpoints=%v cluster=%s session-ttl=%v dial-timeout=%v request-timeout=%v tls=%v username=%s",
		o.Endpoints, o.Cluster, o.SessionTTL, o.DialTimeout, o.RequestTimeout, o.TLS != nil, o.Username)
}

// GoString hides the password from %#v too.
func (o Options) GoString() string { return "etcd.Options{" + o.String() + "}" }

// EnsureDefaults fills the fields that are zero.
func (o *Options) EnsureDefaults() {
	if o.Cluster == "" {
		o.Cluster = "default"
	}
	if o.SessionTTL == 0 {
		o.SessionTTL = 8 * time.Second
	}
	if o.DialTimeout == 0 {
		o.DialTimeout = 5 * time.Second
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = 5 * time.Second
	}
	if o.Clock == nil {
		o.Clock = clock.System()
	}
}

// Validate reports every option that cannot be right, at once.
func (o *Options) Validate() error {
	var p failure.Problems
	if len(o.Endpoints) == 0 {
		p.Addf("", "endpoints", "no server is named")
	}
	if _, err := coord.ClusterPrefix(o.Cluster); err != nil {
		p.Addf("", "cluster", "%v", err)
	}
	if o.SessionTTL < sessionTTLMin || o.SessionTTL > sessionTTLMax || o.SessionTTL%time.Second != 0 {
		p.Addf("", "session-ttl", "%v, want whole seconds from %v to %v", o.SessionTTL, sessionTTLMin, sessionTTLMax)
	}
	if o.DialTimeout < 0 || o.RequestTimeout < 0 {
		p.Addf("", "timeouts", "negative: %v, %v", o.DialTimeout, o.RequestTimeout)
	}
	return p.Err()
}
