package s3_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"millrace/internal/faultplan"
)

// What the proxy does to a request, beside passing it on:
//
//	cut       the connection breaks before the server sees the request
//	cut-body  the connection breaks in the middle of the request's body; the server sees half a request
//	lost      the server carries the request out, and the connection breaks instead of the answer
//	truncate  the answer breaks off in the middle of its body
//	500, 503  the server is not asked; InternalError, SlowDown
//	409       the server is not asked; ConditionalRequestConflict
//	strip     the condition is taken away: a server that ignores it
var passing = []string{"cut", "cut-body", "lost", "truncate", "500", "503"}

// vocabulary names requests by what they are for.
var vocabulary = faultplan.Vocabulary{
	"put": append([]string{"409", "strip"}, passing...), "complete": append([]string{"409", "strip"}, passing...),
	"begin": passing, "part": passing, "abort": passing, "get": passing, "head": passing, "list": passing, "delete": passing,
}

// faultyProxy stands between a store and a server, and harms requests by plan. Requests reach the server under the name of
// the proxy, which is what they were signed for.
type faultyProxy struct {
	upstream *url.URL
	counter  *faultplan.Counter
}

func startProxy(t *testing.T, upstream, plan string) (*faultyProxy, string) {
	t.Helper()
	rules, err := faultplan.Parse(plan, vocabulary)
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	p := &faultyProxy{upstream: to, counter: faultplan.NewCounter(rules, vocabulary)}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, server.URL
}

func operation(r *http.Request) string {
	query := r.URL.Query()
	switch {
	case query.Has("uploads"):
		return "begin"
	case query.Has("partNumber"):
		return "part"
	case query.Has("uploadId") && r.Method == http.MethodPost:
		return "complete"
	case query.Has("uploadId"):
		return "abort"
	case query.Has("list-type"):
		return "list"
	}
	return map[string]string{"PUT": "put", "GET": "get", "HEAD": "head", "DELETE": "delete"}[r.Method]
}

func (p *faultyProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch action := p.counter.Action(operation(r), r.URL.Path); action {
	case "500":
		writeError(w, http.StatusInternalServerError, "InternalError")
	case "503":
		writeError(w, http.StatusServiceUnavailable, "SlowDown")
	case "409":
		writeError(w, http.StatusConflict, "ConditionalRequestConflict")
	case "cut":
		panic(http.ErrAbortHandler)
	case "strip":
		r.Header.Del("If-None-Match")
		p.pass(w, r, body, "")
	default:
		p.pass(w, r, body, action)
	}
}

// pass asks the server. What ErrAbortHandler does is break the connection, also behind half an answer.
func (p *faultyProxy) pass(w http.ResponseWriter, r *http.Request, body []byte, action string) {
	answer, err := http.DefaultTransport.RoundTrip(p.outgoing(r, body, action))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || action == "lost" || action == "cut-body" {
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	if action != "truncate" {
		_, _ = w.Write(text) // the client may have gone
		return
	}
	_, _ = w.Write(text[:len(text)/2])
	_ = http.NewResponseController(w).Flush() // as above
	panic(http.ErrAbortHandler)
}

func (p *faultyProxy) outgoing(r *http.Request, body []byte, action string) *http.Request {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.RequestURI = p.upstream.Scheme, p.upstream.Host, ""
	out.ContentLength = int64(len(body))
	out.Body = io.NopCloser(bytes.NewReader(body))
	out.Close = true // whatever is done to this connection is done to no other request
	if action == "cut-body" && len(body) > 0 {
		out.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), brokenReader{}))
	}
	return out
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func writeError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>injected</Message></Error>`, code)
}
