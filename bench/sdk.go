package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"millrace/cmd/cluster"
	"millrace/cmd/command/client"
	"millrace/internal/testutil/realkafka"
	apiv1 "millrace/proto/millrace/api/v1"
	"millrace/sdk"
)

// The ways in which the main job is written.
const (
	bySQL     = "sql"
	byColumns = "columns" // of Go, by the engine's aggregates
	byBatches = "batches" // the same, behind a function over columns
	byRows    = "rows"    // a function for each bid
)

var ways = []string{bySQL, byColumns, byBatches, byRows}

// sdkResult is the line of a run of one job in several ways, which take turns.
type sdkResult struct {
	about
	Events int64      `json:"events"`
	Rounds int        `json:"rounds"`
	Ways   []sdkWay   `json:"ways"`
	each   [][]sdkRun // by way
}

// sdkWay has the medians of its runs.
type sdkWay struct {
	Way                string  `json:"way"`
	EventsPerCPUSecond float64 `json:"events_per_cpu_second"`
	EventsPerSecond    float64 `json:"events_per_second"`
	AllocsPerEvent     float64 `json:"allocs_per_event"`
	// OfSQL is how much of SQL's events a CPU-second this way has: the median of the rounds' ratios.
	OfSQL float64 `json:"events_per_cpu_second_of_sql"`
}

// sdkRun is one run.
type sdkRun struct{ perCPU, perSecond, allocs float64 }

func (r *sdkResult) checkpointed() int { return checkpointsWanted + 1 } // the interval decides, as in production

// sdkBid is a bid as far as the job reads it, sdkTotal what it says.
type sdkBid struct {
	Auction  int64
	Price    int64
	DateTime time.Time `millrace:",rowtime" type:"TIMESTAMP(3)"`
}

type sdkTotal struct {
	Auction              int64
	WindowStart          time.Time `millrace:"window_start" type:"TIMESTAMP(3)"`
	WindowEnd            time.Time `millrace:"window_end" type:"TIMESTAMP(3)"`
	Bids, Total, Highest int64
}

type sdkSums struct{ Bids, Total, Highest int64 }

// describe describes the main job: args are the way, the brokers and the topic of the output.
func (r run) describe(env *sdk.Env) {
	way, brokers, out := env.Args()[0], env.Args()[1], env.Args()[2]
	env.Configure(sdk.Job{Name: "bids by " + way, Parallelism: r.parallelism, Checkpoint: r.interval, CheckpointTimeout: time.Minute})
	sink := sdk.Kafka{Topic: out, Brokers: brokers, Options: map[string]string{
		"sink.delivery-guarantee": "exactly-once", "sink.transactional-id-prefix": out,
	}}
	if way == bySQL {
		env.Execute(fmt.Sprintf(`
			CREATE TABLE bids (auction BIGINT NOT NULL, price BIGINT NOT NULL, dateTime TIMESTAMP(3) NOT NULL, WATERMARK FOR dateTime AS dateTime - INTERVAL '4' SECOND)
			WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'format' = 'json', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset');
			CREATE TABLE totals (auction BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3), bids BIGINT, total BIGINT, highest BIGINT)
			WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'format' = 'json', 'sink.delivery-guarantee' = 'exactly-once', 'sink.transactional-id-prefix' = '%s')`,
			inTopic, brokers, out, brokers, out))
		env.Insert("totals", `INSERT INTO totals SELECT auction, window_start, window_end, COUNT(*), SUM(price), MAX(price)
			FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(dateTime), INTERVAL '10' SECOND)) GROUP BY auction, window_start, window_end`)
		return
	}
	bids := sdk.From[sdkBid](env, "bids", sdk.Kafka{Topic: inTopic, Brokers: brokers, Bounded: true}, sdk.Watermark(4*time.Second))
	if way == byBatches {
		price := sdk.ColumnOf[int64](bids, "price")
		bids = bids.FilterBatch(func(b *sdk.Batch, keep []bool) error {
			for i, p := range price.In(b) {
				keep[i] = p > 0
			}
			return nil
		})
	}
	windows := sdk.Windows(sdk.KeyByFields[int64](bids, "auction"), sdk.Tumble(windowSize))
	if way != byRows {
		sdk.AggregateColumns[sdkTotal](windows, "windows", sdk.Count("bids"), sdk.Sum("price", "total"), sdk.Max("price", "highest")).To("totals", sink)
		return
	}
	sdk.Aggregate(windows, "windows", sdk.Aggregator[int64, sdkBid, sdkSums, sdkTotal]{
		Add: func(s *sdkSums, b *sdkBid) error {
			s.Bids, s.Total, s.Highest = s.Bids+1, s.Total+b.Price, max(s.Highest, b.Price)
			return nil
		},
		Result: func(w sdk.WindowOf[int64], s *sdkSums) (sdkTotal, error) {
			return sdkTotal{w.Key, w.Start, w.End, s.Bids, s.Total, s.Highest}, nil
		},
	}).To("totals", sink)
}

// measureSDK runs the main job as SQL, and from Go by column and by row, over one topic of a real broker, in turns.
func (r run) measureSDK(ctx context.Context) (line, error) {
	dir, broker, end, err := launch(ctx, inTopic)
	if err != nil {
		return nil, err
	}
	defer end()
	want, err := r.expectedWhole(ctx)
	if err != nil {
		return nil, fmt.Errorf("direct computation: %w", err)
	}
	out := &sdkResult{
		about:  about{Scenario: "sdk", Command: command(), Commit: commit(ctx), Machine: machine(), Parallelism: r.parallelism, PreAggregation: true},
		Events: want.bids, Rounds: r.rounds, each: make([][]sdkRun, len(ways)),
	}
	if err := r.turns(ctx, dir, broker, want, out); err != nil {
		return nil, err
	}
	out.sum()
	out.Time = time.Now().UTC().Format(time.RFC3339)
	return out, nil
}

// turns runs every way in each round, on one cluster.
func (r run) turns(ctx context.Context, dir string, broker *realkafka.Broker, want answer, out *sdkResult) (err error) {
	program := sdk.ProgramOf("", r.describe)
	wiring := cluster.NewWiring(nil)
	sink := &checkedSink{}
	wiring.Connectors.RegisterSink(checkedConnector, sink.factory())
	c, err := cluster.Start(ctx, cluster.Options{Dir: filepath.Join(dir, "cluster"), Wiring: wiring, TaskManagers: 1, Slots: r.parallelism, Program: program})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	jobs := client.Over(c.Jobs())
	ignore := func(*apiv1.WatchJobResponse) error { return nil }
	if err := runJob(ctx, jobs, r.fill(broker.Addr()), ignore); err != nil {
		return fmt.Errorf("fill the topic: %w", err)
	}
	for round := range r.rounds + 1 { // the first one warms up
		for i, way := range ways {
			topic := fmt.Sprintf("%s-%s-%d", outTopic, way, round)
			if err := broker.CreateTopic(ctx, topic, partitions); err != nil {
				return err
			}
			g, _, err := program.Describe([]string{way, broker.Addr(), topic}, nil)
			if err != nil {
				return err
			}
			g.Name = topic
			runtime.GC()
			start := usageNow()
			if err := runJob(ctx, jobs, g, ignore); err != nil {
				return err
			}
			end := usageNow()
			sink.answer = answer{}
			if err := runJob(ctx, jobs, r.readBack(broker.Addr(), topic), ignore); err != nil {
				return fmt.Errorf("read the output: %w", err)
			}
			if err := sink.compare(want); err != nil {
				return fmt.Errorf("%s: %w", topic, err)
			}
			if round > 0 {
				n := float64(want.bids)
				out.each[i] = append(out.each[i], sdkRun{
					n / (end.cpu - start.cpu).Seconds(), n / end.at.Sub(start.at).Seconds(), float64(end.mallocs-start.mallocs) / n,
				})
			}
		}
	}
	return nil
}

// sum fills in the medians.
func (r *sdkResult) sum() {
	median := func(of []sdkRun, figure func(i int) float64) float64 {
		all := make([]float64, len(of))
		for i := range of {
			all[i] = figure(i)
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	for i, way := range ways {
		of := r.each[i]
		r.Ways = append(r.Ways, sdkWay{
			Way: way, EventsPerCPUSecond: median(of, func(k int) float64 { return of[k].perCPU }),
			EventsPerSecond: median(of, func(k int) float64 { return of[k].perSecond }), AllocsPerEvent: median(of, func(k int) float64 { return of[k].allocs }),
			OfSQL: median(of, func(k int) float64 { return of[k].perCPU / r.each[0][k].perCPU }),
		})
	}
}
