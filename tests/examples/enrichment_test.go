package examples

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// enrichment is orders of customers of whom a service knows most, when it is not busy.
func enrichment() *example {
	const perPart = 10_000
	customer := func(p, o int64) int64 { return (o*7 + p) % 40 }
	known := func(c int64) bool { return c%8 != 5 }
	order := func(p, o int64) string {
		return fmt.Sprintf(`"id":%d,"customer":"c%d","amount":%d`, 2*o+p, customer(p, o), o%100)
	}
	var calls atomic.Int64
	service := func(w http.ResponseWriter, r *http.Request) {
		var c int64
		_, err := fmt.Sscanf(strings.TrimPrefix(r.URL.Path, "/customers/"), "c%d", &c)
		switch {
		case calls.Add(1)%10 == 0:
			http.Error(w, "busy", http.StatusServiceUnavailable)
		case err != nil || !known(c):
			http.NotFound(w, r)
		default:
			_, _ = fmt.Fprintf(w, `{"name":"customer %d","country":"country %d"}`, c, c%5)
		}
	}
	return &example{
		name: "enrichment", topic: "orders", perPart: perPart,
		record: func(p, o int64) string { return "{" + order(p, o) + "}" },
		serve: func(t *testing.T) []string {
			s := httptest.NewServer(http.HandlerFunc(service))
			t.Cleanup(s.Close)
			return []string{"-service", s.URL}
		},
		want: func() map[string][]string {
			var out []string
			for p := range int64(partitions) {
				for o := range int64(perPart) {
					name, country := "null", "null"
					if c := customer(p, o); known(c) {
						name, country = fmt.Sprintf(`"customer %d"`, c), fmt.Sprintf(`"country %d"`, c%5)
					}
					out = append(out, fmt.Sprintf(`{%s,"name":%s,"country":%s}`, order(p, o), name, country))
				}
			}
			return map[string][]string{"orders-enriched": out}
		},
	}
}
