// Command enrichment adds to each order what a service knows of its customer, asked for over HTTP: many orders at a time, again where the service is busy, and
// without an answer where it is down for long.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"millrace/sdk"
)

// Order is a record of the topic orders.
type Order struct {
	ID       int64 `millrace:"id"`
	Customer string
	Amount   int64
}

// Customer is what the service knows.
type Customer struct{ Name, Country string }

// Enriched is an order with its customer. Name and Country are NULL of one whom the service does not know.
type Enriched struct {
	Order
	Name    *string
	Country *string
}

func main() { sdk.Main(job) }

func job(env *sdk.Env) {
	flags := flag.NewFlagSet("enrichment", flag.ContinueOnError)
	brokers := flags.String("brokers", "localhost:9092", "addresses of Kafka")
	service := flags.String("service", "http://localhost:8080", "URL of the customer service")
	bounded := flags.Bool("bounded", false, "end at what there is now")
	if err := flags.Parse(env.Args()); err != nil {
		env.Problemf("%s", err)
		return
	}
	env.Configure(sdk.Job{Name: "enrichment"})
	orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders", Brokers: *brokers, Bounded: *bounded})
	enriched := sdk.Async(orders, "customers", lookup(*service), sdk.Calls[Order, Enriched]{
		Capacity: 50, Timeout: 5 * time.Second, Retries: 5, RetryDelay: 50 * time.Millisecond,
		Retry: func(err error) bool { return !errors.Is(err, errUnknown) }, // asking again makes nobody known
		Otherwise: func(o Order, err error) ([]Enriched, error) {
			if errors.Is(err, errUnknown) {
				return []Enriched{{Order: o}}, nil
			}
			return nil, err
		},
	})
	enriched.To("enriched", sdk.Kafka{Topic: "orders-enriched", Brokers: *brokers, Options: map[string]string{
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": "enrichment",
	}})
}

var errUnknown = errors.New("the service does not know the customer")

// lookup asks the service about an order's customer. The client, which all calls share, keeps connections.
func lookup(service string) func(context.Context, Order) (Enriched, error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}}
	return func(ctx context.Context, o Order) (out Enriched, err error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, service+"/customers/"+url.PathEscape(o.Customer), http.NoBody)
		if err != nil {
			return out, err
		}
		response, err := client.Do(request)
		if err != nil {
			return out, err
		}
		defer func() { _ = response.Body.Close() }()
		switch response.StatusCode {
		case http.StatusOK:
		case http.StatusNotFound:
			return out, errUnknown
		default:
			return out, fmt.Errorf("the service answers %s", response.Status)
		}
		var c Customer
		err = json.NewDecoder(response.Body).Decode(&c)
		return Enriched{Order: o, Name: &c.Name, Country: &c.Country}, err
	}
}
