package s3

import (
	"net/url"
	"strings"
	"time"

	"millrace/blobstore"
	"millrace/failure"
	"millrace/options"
)

// Scheme is what the URL of a store begins with: s3://bucket/prefix?parameter=value.
const Scheme = "s3"

const (
	endpointKey    = "endpoint"
	regionKey      = "region"
	pathStyleKey   = "path-style"
	partSizeKey    = "part-size"
	concurrencyKey = "upload-concurrency"
	checksumsKey   = "checksums"
	timeoutKey     = "request-timeout"

	checksumsSupported, checksumsRequired = "when-supported", "when-required"
)

// Parameters declares what may stand behind the "?" of a store's URL. Secrets may not: a URL is printed.
var Parameters = options.Spec{Name: "an s3 URL", Options: []options.Option{
	{
		Key: endpointKey, Example: "http://127.0.0.1:9000",
		Doc: "The server's address, for stores other than AWS. Plain http is for loopback and networks that are safe by other means. Without it, what AWS_ENDPOINT_URL_S3 or the shared configuration says, or AWS.",
	},
	{Key: regionKey, Example: "eu-central-1", Doc: "The bucket's region. Without it, what AWS_REGION or the shared configuration says; us-east-1 if an endpoint is given."},
	{Key: pathStyleKey, Type: options.Bool, Doc: "Whether the bucket stands in the path of requests instead of the host's name. True by default if an endpoint is given."},
	{Key: partSizeKey, Type: options.MemorySize, Default: "8 mb", Min: "5 mb", Max: "1 gb", Doc: "Bodies of this size and larger go up in parts of this size."},
	{Key: concurrencyKey, Type: options.Int, Default: "4", Min: "1", Max: "64", Doc: "How many parts of one body go up at a time."},
	{
		Key: checksumsKey, Type: options.Enum, Values: []string{checksumsSupported, checksumsRequired}, Default: checksumsSupported,
		Doc: "Whether every upload carries a CRC-32 that the server verifies. when-required is for servers that do not know these headers.",
	},
	{Key: timeoutKey, Type: options.Duration, Default: "30 s", Min: "1 s", Max: "10 min", Doc: "How long a call may take, beside the time for its bytes."},
}}

// location is a parsed URL.
type location struct {
	bucket string
	// prefix is put in front of every key: empty, or parts that each end in a slash.
	prefix           string
	endpoint, region string
	pathStyle        bool
	partBytes        int64
	concurrency      int
	checksumsAlways  bool
	timeout          time.Duration
}

// parseURL reports everything that is wrong with the URL at once. Its text is quoted nowhere, lest it holds a password.
func parseURL(text string) (location, error) {
	if len(text) > urlBytesMax {
		return location{}, failure.Userf("the URL of the store has %d bytes, at most %d", len(text), urlBytesMax)
	}
	u, err := url.Parse(text)
	if err != nil {
		return location{}, failure.Userf("the URL of the store is none; want s3://bucket/prefix?parameter=value")
	}
	var problems failure.Problems
	l := location{bucket: u.Host, prefix: parsePrefix(u, &problems)}
	checkBucket(u, &problems)
	given := parameters(u, &problems)
	values, err := options.Parse(Parameters, given)
	problems.AddError(err)
	if err == nil {
		l.take(values, &problems)
	}
	return l, problems.Err()
}

func checkBucket(u *url.URL, problems *failure.Problems) {
	switch {
	case u.Scheme != Scheme:
		problems.Addf("", "scheme", "%q, want %s://bucket/prefix", u.Scheme, Scheme)
	case u.User != nil:
		problems.Add(failure.Message{Field: "bucket", Primary: "credentials do not belong in a URL", Hint: "use AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"})
	case u.Host == "" || u.Hostname() != u.Host:
		problems.Addf("", "bucket", "no name of a bucket behind %s://", Scheme)
	case u.Fragment != "":
		problems.Addf("", "fragment", "a # has no meaning here")
	}
}

func parsePrefix(u *url.URL, problems *failure.Problems) string {
	prefix := strings.Trim(u.Path, "/")
	if prefix == "" {
		return ""
	}
	if err := blobstore.CheckKey(prefix); err != nil || len(prefix) > prefixBytesMax {
		problems.Addf("", "prefix", "want at most %d bytes of letters, digits and _-.= between single slashes", prefixBytesMax)
	}
	return prefix + "/"
}

// parameters returns the query as single values.
func parameters(u *url.URL, problems *failure.Problems) map[string]string {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		problems.Addf("", "parameters", "they are not of the form name=value&name=value")
	}
	given := make(map[string]string, len(query))
	for name, values := range query {
		if len(values) > 1 {
			problems.Addf("", name, "given %d times", len(values))
		}
		given[name] = values[0]
	}
	return given
}

func (l *location) take(values options.Values, problems *failure.Problems) {
	l.endpoint, l.region = values.Text(endpointKey), values.Text(regionKey)
	if l.endpoint != "" {
		checkEndpoint(l.endpoint, problems)
	}
	l.pathStyle = values.Bool(pathStyleKey) || l.endpoint != "" && !values.IsGiven(pathStyleKey)
	l.partBytes, l.concurrency = values.Bytes(partSizeKey), int(values.Int(concurrencyKey))
	l.checksumsAlways = values.Text(checksumsKey) == checksumsSupported
	l.timeout = values.Duration(timeoutKey)
}

func checkEndpoint(text string, problems *failure.Problems) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		problems.Addf("", endpointKey, "want http://host:port or https://host:port")
	}
}
