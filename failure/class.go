package failure

import (
	"errors"
	"fmt"
)

// Domain tells whose failure an error is.
type Domain uint8

// The domains. The zero value is DomainInternal.
const (
	// DomainInternal is ours: a bug, or something we did not foresee.
	DomainInternal Domain = iota
	// DomainUser is the user's: input, options or a program that cannot be right.
	DomainUser
	// DomainExternal belongs to a system that we talk to.
	DomainExternal
)

// String returns the domain's lower-case word.
func (d Domain) String() string {
	switch d {
	case DomainInternal:
		return "internal"
	case DomainUser:
		return "user"
	case DomainExternal:
		return "external"
	}
	return fmt.Sprintf("domain(%d)", uint8(d))
}

// Retry tells what helps against a failure.
type Retry uint8

// The retries. The zero value is Restart.
const (
	// Restart: restore the affected tasks from the last checkpoint.
	Restart Retry = iota
	// Backoff: the same call may succeed later; nothing needs to be restored.
	Backoff
	// Never: it fails again in the same way until somebody changes something.
	Never
)

// String returns the retry's lower-case word.
func (r Retry) String() string {
	switch r {
	case Restart:
		return "restart"
	case Backoff:
		return "backoff"
	case Never:
		return "never"
	}
	return fmt.Sprintf("retry(%d)", uint8(r))
}

// Class is what a failure means. The zero value, internal and restart, is the class of an unclassified error. Classes
// are comparable values.
type Class struct {
	Domain Domain
	Retry  Retry
}

// String prints the class as "domain/retry".
func (c Class) String() string { return c.Domain.String() + "/" + c.Retry.String() }

// Classified is implemented by errors that carry their class. ClassOf asks it wherever it stands in a chain; an error
// type outside this package may implement it.
type Classified interface {
	error
	FailureClass() Class
}

// With gives err the class c, whatever class it had. It returns nil for a nil error, and leaves the text as it is.
func With(err error, c Class) error {
	if err == nil {
		return nil
	}
	return &classified{err: err, class: c}
}

// User says that err is the user's to mend and that retrying does not help. It returns nil for nil.
func User(err error) error { return With(err, Class{DomainUser, Never}) }

// Userf makes an error as fmt.Errorf does, %w included, with the class of User.
func Userf(format string, args ...any) error { return User(fmt.Errorf(format, args...)) }

// External says that err comes from a system that we talk to, and what helps. It returns nil for nil.
func External(err error, retry Retry) error { return With(err, Class{DomainExternal, retry}) }

// Externalf makes an error as fmt.Errorf does, %w included, with the class of External.
func Externalf(retry Retry, format string, args ...any) error {
	return External(fmt.Errorf(format, args...), retry)
}

// Internal says that err is ours and that a restart may help. It returns nil for nil.
func Internal(err error) error { return With(err, Class{DomainInternal, Restart}) }

// Internalf makes an error as fmt.Errorf does, %w included, with the class of Internal.
func Internalf(format string, args ...any) error { return Internal(fmt.Errorf(format, args...)) }

// ClassOf returns the class of err: the outermost one in its chain, since whoever classified last knew most. Of several
// joined errors the one that is hardest to mend decides: never before restart before backoff, and among equals the first.
// Parts that nobody classified count only if no part was. Nil and unclassified errors have the zero Class.
func ClassOf(err error) Class {
	c, _ := find(err)
	return c
}

func find(err error) (Class, bool) {
	for err != nil {
		if c, ok := err.(Classified); ok { //nolint:errorlint // this loop is the unwrapping.
			return c.FailureClass(), true
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			return worst(many.Unwrap())
		}
		err = errors.Unwrap(err)
	}
	return Class{}, false
}

func worst(errs []error) (found Class, ok bool) {
	for _, err := range errs {
		c, has := find(err)
		if has && (!ok || severity(c.Retry) > severity(found.Retry)) {
			found, ok = c, true
		}
	}
	return found, ok
}

func severity(r Retry) int {
	switch r {
	case Backoff:
		return 0
	case Never:
		return 2
	default:
		return 1
	}
}

// classified adds a class to an error and nothing to its text.
type classified struct {
	err   error
	class Class
}

func (c *classified) Error() string       { return c.err.Error() }
func (c *classified) Unwrap() error       { return c.err }
func (c *classified) FailureClass() Class { return c.class }
