package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"millrace/sdk"
)

// TestLookup: what the service answers, and what the job makes of it when it does not.
func TestLookup(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/customers/ann/lee":
			if r.URL.RawPath != "/customers/ann%2Flee" {
				t.Errorf("asked for %s", r.URL.RawPath)
			}
			_, _ = w.Write([]byte(`{"name":"Ann Lee","country":"NZ"}`))
		case "/customers/nobody":
			http.NotFound(w, r)
		default:
			http.Error(w, "busy", http.StatusServiceUnavailable)
		}
	}))
	defer service.Close()
	ask := lookup(service.URL)
	got, err := ask(t.Context(), Order{ID: 1, Customer: "ann/lee", Amount: 5})
	if err != nil || got.ID != 1 || *got.Name != "Ann Lee" || *got.Country != "NZ" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := ask(t.Context(), Order{Customer: "nobody"}); !errors.Is(err, errUnknown) {
		t.Errorf("nobody: %v", err)
	}
	if _, err := ask(t.Context(), Order{Customer: "x"}); err == nil || err.Error() != "the service answers 503 Service Unavailable" {
		t.Errorf("a busy service: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ask(gone, Order{Customer: "x"}); !errors.Is(err, context.Canceled) {
		t.Errorf("a call that was given up: %v", err)
	}
}

// TestJobIsDescribed: the job is whole, and takes its arguments.
func TestJobIsDescribed(t *testing.T) {
	for _, c := range []struct {
		args []string
		ok   bool
	}{{[]string{"-service", "http://x", "-bounded"}, true}, {[]string{"-no-such-flag"}, false}} {
		env := sdk.NewEnv(c.args, nil)
		job(env)
		if _, _, err := env.Describe(); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.args, err)
		}
	}
}
