package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// A service is asked about many orders at a time. Its answers come in the order of the orders.
func ExampleAsync() {
	type Order struct {
		ID       int64
		Customer string
	}
	type Enriched struct {
		Order   // its columns are among those of the row
		Country string
	}
	countries := map[string]string{"ann": "FR", "bob": "IT"} // stands for a client, which is safe for calls beside each other
	ask := func(_ context.Context, o Order) (Enriched, error) {
		country, ok := countries[o.Customer]
		if !ok {
			return Enriched{}, fmt.Errorf("nobody is called %s", o.Customer)
		}
		return Enriched{o, country}, nil
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"})
		sdk.Async(orders, "customers", ask, sdk.Calls[Order, Enriched]{Capacity: 50, Timeout: 2 * time.Second}).To("out", sdk.Kafka{Topic: "enriched"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{1, "ann"}, Order{2, "bob"}, Order{3, "ann"})
	fmt.Printf("%+v\n", sdktest.Rows[Enriched](p, "out"))
	// Output: [{Order:{ID:1 Customer:ann} Country:FR} {Order:{ID:2 Customer:bob} Country:IT} {Order:{ID:3 Customer:ann} Country:FR}]
}

// A call that failed is made again where that helps, and Otherwise stands in for the answer that there is not.
func ExampleCalls() {
	type Order struct{ Customer string }
	type Enriched struct{ Customer, Country string }
	errUnknown := errors.New("nobody has that name")
	calls := make(chan string, 10)
	busy := make(chan error, 1)
	busy <- errors.New("come back later") // once
	ask := func(_ context.Context, o Order) (Enriched, error) {
		calls <- o.Customer
		if o.Customer == "zoe" {
			return Enriched{}, errUnknown
		}
		select {
		case err := <-busy:
			return Enriched{}, err
		default:
			return Enriched{o.Customer, "FR"}, nil
		}
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		orders := sdk.From[Order](env, "orders", sdk.Kafka{Topic: "orders"})
		sdk.Async(orders, "customers", ask, sdk.Calls[Order, Enriched]{
			Retries: 3,
			Retry:   func(err error) bool { return !errors.Is(err, errUnknown) },
			Otherwise: func(o Order, err error) ([]Enriched, error) {
				if errors.Is(err, errUnknown) {
					return []Enriched{{o.Customer, "?"}}, nil
				}
				return nil, err // fails the job
			},
		}).To("out", sdk.Kafka{Topic: "enriched"})
	}, sdktest.Options{})

	sdktest.Push(p, "orders", Order{"ann"})
	sdktest.Push(p, "orders", Order{"zoe"})
	fmt.Println(sdktest.Rows[Enriched](p, "out"), "by", len(calls), "calls")
	// Output: [{ann FR} {zoe ?}] by 3 calls
}

// A function may have any number of answers for a row.
func ExampleAsyncFlatMap() {
	friends := map[string][]string{"ann": {"bob", "cy"}, "bob": {"ann"}}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		users := sdk.From[string](env, "users", sdk.Kafka{Topic: "users", Format: "raw"})
		sdk.AsyncFlatMap(users, "friends", func(_ context.Context, user string) ([]string, error) {
			return friends[user], nil
		}, sdk.Calls[string, string]{}).To("out", sdk.Kafka{Topic: "friends", Format: "raw"})
	}, sdktest.Options{})

	sdktest.Push(p, "users", "ann", "zoe", "bob")
	fmt.Println(sdktest.Rows[string](p, "out"))
	// Output: [bob cy ann]
}
