package s3

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"millrace/failure"
	"millrace/internal/clock"
	"millrace/options"
)

// regionOfOthers is what servers other than AWS are told, which mostly do not care.
const regionOfOthers = "us-east-1"

// Options is what does not stand in the URL. The zero value is right for most.
type Options struct {
	// Credentials, if it has a KeyID, is used instead of the AWS chain: environment, shared files, web identity, the
	// roles of containers and machines.
	Credentials Credentials
	// Clock times the pauses of a create that others race with; the system's by default. Deadlines go by the system's.
	Clock clock.Clock
}

// EnsureDefaults fills the fields that are zero.
func (o *Options) EnsureDefaults() {
	if o.Clock == nil {
		o.Clock = clock.System()
	}
}

// Credentials is a key of AWS or of another server. It prints without its secrets.
type Credentials struct {
	KeyID        string
	Secret       options.Secret
	SessionToken options.Secret
}

// newClient returns a client for the location and the HTTP client under it. It finds credentials, which may ask the
// machine's or container's role, and otherwise speaks to nobody.
func newClient(ctx context.Context, l location, o Options) (*awss3.Client, *awshttp.BuildableClient, error) {
	transport := newTransport(l)
	settings, err := config.LoadDefaultConfig(ctx, loadOptions(l, o, transport)...)
	if err != nil {
		return nil, nil, failure.Userf("AWS configuration: %w", err)
	}
	if settings.Region == "" && l.endpoint == "" {
		return nil, nil, failure.Message{Field: regionKey, Primary: "missing", Hint: "add region=... to the URL, or set AWS_REGION"}
	}
	if settings.Region == "" {
		settings.Region = regionOfOthers
	}
	if _, err := settings.Credentials.Retrieve(ctx); err != nil {
		return nil, nil, failure.Userf("find credentials for S3: %w", err)
	}
	return awss3.NewFromConfig(settings, func(c *awss3.Options) {
		c.UsePathStyle = l.pathStyle
		if l.endpoint != "" {
			c.BaseEndpoint = aws.String(l.endpoint)
		}
		c.DisableLogOutputChecksumValidationSkipped = true
	}), transport, nil
}

func loadOptions(l location, o Options, transport *awshttp.BuildableClient) []func(*config.LoadOptions) error {
	load := []func(*config.LoadOptions) error{
		config.WithHTTPClient(transport),
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }), // see the package comment
		config.WithLogger(logging.Nop{}),
		config.WithRequestChecksumCalculation(l.requestChecksums()),
	}
	if !l.checksumsAlways {
		load = append(load, config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired))
	}
	if l.region != "" {
		load = append(load, config.WithRegion(l.region))
	}
	if c := o.Credentials; c.KeyID != "" {
		static := credentials.NewStaticCredentialsProvider(c.KeyID, c.Secret.Reveal(), c.SessionToken.Reveal())
		load = append(load, config.WithCredentialsProvider(static))
	}
	return load
}

func (l location) requestChecksums() aws.RequestChecksumCalculation {
	if l.checksumsAlways {
		return aws.RequestChecksumCalculationWhenSupported
	}
	return aws.RequestChecksumCalculationWhenRequired
}

func newTransport(l location) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = dialTimeout
			t.ResponseHeaderTimeout = l.timeout
			t.IdleConnTimeout = connectionIdle
			t.MaxIdleConns, t.MaxIdleConnsPerHost = connectionsIdleMax, connectionsIdleMax
		})
}

// String prints where the store is, without what its URL may hide.
func (l location) String() string { return fmt.Sprintf("%s://%s/%s", Scheme, l.bucket, l.prefix) }
