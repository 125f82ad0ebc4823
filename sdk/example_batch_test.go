package sdk_test

import (
	"bytes"
	"fmt"

	"millrace/sdk"
	"millrace/sdk/sdktest"
)

// The values of a column are a slice: no row is made of them.
func ExampleStream_FilterBatch() {
	type Bid struct {
		Auction int64
		Price   int64
		Channel *string
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		bids := sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"})
		price, channel := sdk.ColumnOf[int64](bids, "price"), sdk.TextsOf(bids, "channel")
		bids.FilterBatch(func(b *sdk.Batch, keep []bool) error {
			for i, p := range price.In(b) {
				keep[i] = p >= 100 && !channel.Null(b, i) && bytes.HasPrefix(channel.In(b, i), []byte("tv"))
			}
			return nil
		}).To("out", sdk.Kafka{Topic: "high-bids"})
	}, sdktest.Options{})

	tv, web := "tv-1", "web"
	sdktest.Push(p, "bids", Bid{1, 100, &tv}, Bid{2, 99, &tv}, Bid{3, 120, &web}, Bid{4, 500, nil})
	for _, b := range sdktest.Rows[Bid](p, "out") {
		fmt.Println(b.Auction, b.Price, *b.Channel)
	}
	// Output: 1 100 tv-1
}

// Each column of the rows that leave is given once: kept as it came, or put.
func ExampleMapBatch() {
	type Bid struct {
		Auction int64
		Dollars int64
		Bidder  string
	}
	type Euros struct {
		Auction int64
		Bidder  string
		Euros   float64
	}
	p := sdktest.Start(tester{}, func(env *sdk.Env) {
		bids := sdk.From[Bid](env, "bids", sdk.Kafka{Topic: "bids"})
		dollars, bidder := sdk.ColumnOf[int64](bids, "dollars"), sdk.TextsOf(bids, "bidder")
		sdk.MapBatch[Euros](bids, func(b *sdk.Batch, out *sdk.Columns) error {
			euros, upper := make([]float64, b.Len()), make([][]byte, b.Len())
			for i, d := range dollars.In(b) {
				euros[i], upper[i] = float64(d)*0.5, bytes.ToUpper(bidder.In(b, i))
			}
			out.Keep("auction")
			out.PutTexts("bidder", upper)
			sdk.Put(out, "euros", euros)
			return nil
		}).To("out", sdk.Kafka{Topic: "euros"})
	}, sdktest.Options{})

	sdktest.Push(p, "bids", Bid{1, 100, "ann"}, Bid{2, 25, "bob"})
	fmt.Println(sdktest.Rows[Euros](p, "out"))
	// Output: [{1 ANN 50} {2 BOB 12.5}]
}
