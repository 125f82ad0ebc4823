package sdk_test

import (
	"errors"
	"strings"
	"testing"

	"millrace/failure"
	"millrace/sdk"
)

// TestErrorsKeepTheirClass: what a function returns without a class may be restarted, and what the function gave a class has that.
func TestErrorsKeepTheirClass(t *testing.T) {
	away := errors.New("the service is away")
	for _, test := range []struct {
		name string
		err  error
		want failure.Class
	}{
		{"none", away, failure.Class{Domain: failure.DomainUser, Retry: failure.Restart}},
		{"the user's", failure.User(away), failure.Class{Domain: failure.DomainUser, Retry: failure.Never}},
		{"another system's", failure.External(away, failure.Restart), failure.Class{Domain: failure.DomainExternal, Retry: failure.Restart}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := one(t, "asks", func(e *sdk.Env) {
				sdk.Map(clicks(e), func(*click) (int64, error) { return 0, test.err }, sdk.UID("asks")).To("out", nowhere)
			})
			err := runOne(t, c, "'u' 1 1970-01-01 00:00:00.001")
			if !errors.Is(err, away) || failure.ClassOf(err) != test.want || !strings.Contains(err.Error(), "map asks (guard_test.go:") {
				t.Errorf("class %s: %v", failure.ClassOf(err), err)
			}
		})
	}
}

// TestNothingIsDescribed: that there are no streams is said where nothing else is.
func TestNothingIsDescribed(t *testing.T) {
	env := sdk.NewEnv(nil, nil)
	if _, _, err := env.Describe(); err == nil || !strings.Contains(err.Error(), "the job has no streams") {
		t.Errorf("nothing at all: %v", err)
	}
	env = sdk.NewEnv(nil, nil)
	env.Problemf("it takes a file")
	if _, _, err := env.Describe(); err == nil || strings.Contains(err.Error(), "no streams") || !strings.Contains(err.Error(), "it takes a file") {
		t.Errorf("behind a problem: %v", err)
	}
}
