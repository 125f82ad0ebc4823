package s3

import (
	"errors"
	"fmt"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"millrace/blobstore"
	"millrace/failure"
)

// codes are the server's error codes that mean more, or something else, than their HTTP status says.
var codes = map[string]error{
	"PreconditionFailed": blobstore.ErrExists,

	"NoSuchKey": blobstore.ErrNotFound,
	// A 404 that names no key comes from somebody in between, and must not pass for a missing object.
	"NotFound": blobstore.ErrUnavailable,

	"EntityTooLarge": blobstore.ErrTooLarge,

	"KeyTooLongError":    blobstore.ErrBadKey,
	"ObjectParentIsFile": blobstore.ErrBadKey, // of servers that keep objects as files
	folderCode:           blobstore.ErrBadKey,

	// 4xx that pass: the request was damaged or too slow on its way, credentials are just being renewed, a race.
	"RequestTimeout":              blobstore.ErrUnavailable,
	"IncompleteBody":              blobstore.ErrUnavailable,
	"BadDigest":                   blobstore.ErrUnavailable,
	"XAmzContentSHA256Mismatch":   blobstore.ErrUnavailable,
	"XAmzContentChecksumMismatch": blobstore.ErrUnavailable,
	"Throttling":                  blobstore.ErrUnavailable,
	"ThrottlingException":         blobstore.ErrUnavailable,
	"ExpiredToken":                blobstore.ErrUnavailable,
	"TokenRefreshRequired":        blobstore.ErrUnavailable,
	"OperationAborted":            blobstore.ErrUnavailable,
	"NoSuchUpload":                blobstore.ErrUnavailable, // somebody removed our parts, or the completion before took effect
	conflictCode:                  blobstore.ErrUnavailable, // after conflictAttemptsMax
}

// The codes after which a create begins again: nothing happened, and the next may meet with another answer.
const (
	conflictCode = "ConditionalRequestConflict"
	// folderCode says that the key is a folder of other objects. VersityGW says it also of a folder above the key that a
	// delete is just removing.
	folderCode = "ExistingObjectIsDirectory"
)

// users are codes that only somebody with a hand on the configuration can mend.
var users = map[string]bool{
	"NoSuchBucket": true, "InvalidBucketName": true, "AccessDenied": true, "InvalidAccessKeyId": true, "SignatureDoesNotMatch": true,
	"InvalidToken": true, "PermanentRedirect": true, "AuthorizationHeaderMalformed": true, "RequestTimeTooSkewed": true,
	"NotImplemented": true, "MethodNotAllowed": true, "InvalidObjectState": true,
	"XAdminUserNotFound": true, // VersityGW's word for InvalidAccessKeyId, with status 404
}

// classify turns an error of the client into one of the contract's, with its text. What never got an answer, or one that
// makes no sense, is ErrUnavailable.
func classify(err error) error {
	if isContract(err) {
		return err
	}
	if _, ok := errors.AsType[*bodyError](err); ok {
		return failure.Internal(err)
	}
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		if meaning, ok := codes[answer.ErrorCode()]; ok {
			return fmt.Errorf("%w: %w", meaning, err)
		}
		if users[answer.ErrorCode()] {
			return failure.User(err)
		}
	}
	return classifyStatus(statusOf(err), err)
}

func classifyStatus(status int, err error) error {
	switch {
	case status == http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %w", blobstore.ErrExists, err)
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotImplemented,
		status >= 300 && status < 400: // the bucket is elsewhere
		return failure.User(err)
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests,
		status < 400: // no answer, or half of one
		return fmt.Errorf("%w: %w", blobstore.ErrUnavailable, err)
	}
	return failure.External(err, failure.Restart)
}

// statusOf returns the HTTP status of the answer, 0 if there was none.
func statusOf(err error) int {
	if answer, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

func isUndecided(err error) bool {
	answer, ok := errors.AsType[smithy.APIError](err)
	return ok && (answer.ErrorCode() == conflictCode || answer.ErrorCode() == folderCode)
}

func isContract(err error) bool {
	for _, e := range []error{blobstore.ErrExists, blobstore.ErrNotFound, blobstore.ErrBadKey, blobstore.ErrTooLarge, blobstore.ErrUnavailable} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
