// Package s3 is the blob store in a bucket of S3, or of a server that speaks its protocol, and the only room that knows
// gocloud.dev and the AWS SDK.
//
// # The fence
//
// Create is a put with If-None-Match: *. Larger bodies go up in parts, and the same condition stands on the request that
// completes them. What the server answers means:
//
//	412  the key is taken: ErrExists
//	409  another create of the key is under way, nothing was decided: the create begins again, a few times
//	     (conflictAttemptsMax), and then it is ErrUnavailable
//	else the outcome is open, as the contract says; blobstore.WithRetry repeats and reads back
//
// Some servers ignore the condition, on puts or only on completions. Store.Probe finds either; blobstore.Probe, which
// knows no parts, finds the first.
//
// # One retrier
//
// The SDK's own retries are off. A put that it repeated behind our back would meet its own success and report 412, and
// nobody could tell that from somebody else's object; and two retriers on top of each other multiply: six attempts of
// three are eighteen for a server that is down, and no budget sees them. Callers wrap the store in blobstore.WithRetry,
// which knows that its second attempt must read back. What Go's HTTP transport still repeats when a connection that it
// kept for later turns out to be dead is harmless: requests that only read, and those of which not a byte was written.
//
// # Limits
//
// Every call ends by itself after request-timeout and the time for its bytes, if the caller's context allows so long.
// An upload holds at most part-size x (upload-concurrency + 2) bytes beside the body. Parts of an upload that was given
// up are removed; those of a process that died stay until a lifecycle rule of the bucket removes them
// (AbortIncompleteMultipartUpload), which every bucket should have. Directory buckets do not list in the order of keys
// and are not supported.
//
// A Store starts no goroutine that outlives a call, connections that wait for their next use excepted; Close ends those.
package s3
