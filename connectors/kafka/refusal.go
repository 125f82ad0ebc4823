package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"millrace/failure"
)

// external says that a request failed, whose matter that is, and whether waiting
// helps.
func external(what string, err error) error {
	if isForbidden(err) {
		return forbid(what, err)
	}
	err = fmt.Errorf("%s: %w", what, err)
	var answer *kerr.Error
	if errors.As(err, &answer) && !answer.Retriable && !errors.Is(err, kerr.UnknownServerError) {
		return failure.External(err, failure.Never)
	}
	return failure.External(err, failure.Backoff)
}

// isForbidden tells whether the cluster's access rules are in the way.
func isForbidden(err error) bool {
	var answer *kerr.Error
	return errors.As(err, &answer) && slices.Contains(authorizations, answer.Code)
}

var authorizations = []int16{codeTopicForbidden, codeGroupForbidden, codeClusterForbidden, codeIDForbidden}

// forbid is the error of something that somebody has to allow first.
func forbid(what string, err error) error {
	return failure.User(fmt.Errorf("%s: %w; hint: the job may not do that: allow it by the access rules of the Kafka cluster, "+
		"for the topic and, with %s = %s, for transactional ids and groups that begin with %s", what, err, keyGuarantee, guaranteeExactlyOnce, keyPrefix))
}

// unproduced is the error of records that were not written to a topic.
func unproduced(topic string, err error) error {
	what := "produce to topic " + topic
	switch {
	case isForbidden(err):
		return forbid(what, err)
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		return failure.Externalf(failure.Restart, "%s: it does not exist (%w); hint: create it, or have the brokers create topics "+
			"by auto.create.topics.enable", what, err)
	}
	return failure.External(fmt.Errorf("%s: %w", what, err), failure.Restart)
}

// several are errors of things that were done side by side. Its text has the
// first few of them.
type several []error

// joined returns the errors that are not nil as one, nil if all are.
func joined(errs []error) error {
	found := slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	switch len(found) {
	case 0:
		return nil
	case 1:
		return found[0]
	}
	return several(found)
}

// Error prints the first few.
func (s several) Error() string {
	var text []string
	for _, err := range s[:min(len(s), troublesMax)] {
		text = append(text, err.Error())
	}
	if rest := len(s) - len(text); rest > 0 {
		text = append(text, fmt.Sprintf("and %d more", rest))
	}
	return strings.Join(text, "; ")
}

// Unwrap returns all of them: the worst gives the class.
func (s several) Unwrap() []error { return s }
