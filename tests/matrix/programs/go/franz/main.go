// Command franz is franz-go: `franz COMMAND ...`.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"tidegate.test/clients/given"
)

var task *given.Task

func client(own ...kgo.Opt) (*kgo.Client, error) {
	options := []kgo.Opt{kgo.SeedBrokers(task.Brokers...)}
	if task.TLS != nil {
		login := scram.Auth{User: task.User, Pass: task.Password}
		options = append(options, kgo.DialTLSConfig(task.TLS))
		switch task.Mechanism {
		case "PLAIN":
			options = append(options, kgo.SASL(plain.Auth{User: task.User, Pass: task.Password}.AsMechanism()))
		case "SCRAM-SHA-256":
			options = append(options, kgo.SASL(login.AsSha256Mechanism()))
		default:
			options = append(options, kgo.SASL(login.AsSha512Mechanism()))
		}
	}
	return kgo.NewClient(append(options, own...)...)
}

func record(number int, value string) *kgo.Record {
	return &kgo.Record{Topic: task.Topic, Key: given.Key(number), Value: []byte(value)}
}

func answered(record *kgo.Record, err error) {
	if err != nil {
		given.TellFailed(string(record.Value), err)
	} else {
		given.TellPlace("acked", string(record.Value), record.Partition, record.Offset)
	}
}

func produce(ctx context.Context) error {
	var own []kgo.Opt
	if !task.Idempotent {
		own = append(own, kgo.DisableIdempotentWrite())
	}
	producer, err := client(own...)
	if err != nil {
		return err
	}
	defer producer.Close()
	for number := 0; task.More(ctx, number); number++ {
		producer.Produce(context.Background(), record(number, task.Value(number)), answered)
		task.Pause()
	}
	return producer.Flush(context.Background())
}

// produceTransactions writes transactions of ten records without end; an aborted one is told as failed, not tried again.
func produceTransactions(ctx context.Context) error {
	var producer *kgo.Client
	for number := 0; ctx.Err() == nil; number += given.TransactionRecords {
		var err error
		if producer == nil {
			if producer, err = client(kgo.TransactionalID(task.TransactionalID)); err != nil {
				return err
			}
		}
		records, begun, err := transaction(producer, number)
		for _, each := range records {
			answered(each, err)
		}
		if err == nil {
			given.Tell("committed")
			continue
		}
		if begun {
			if err = producer.EndTransaction(context.Background(), kgo.TryAbort); err == nil {
				given.Tell("aborted")
				continue
			}
			given.TellError(err)
		} else {
			// Who can begin none can abort none either, but is told so by nobody.
			time.Sleep(100 * time.Millisecond)
		}
		producer.Close()
		producer = nil
	}
	if producer != nil {
		producer.Close()
	}
	return nil
}

// transaction returns its records, whether it was begun, and what became of it.
func transaction(producer *kgo.Client, first int) ([]*kgo.Record, bool, error) {
	var records []*kgo.Record
	for each := range given.TransactionRecords {
		records = append(records, record(first+each, task.Value(first+each)))
	}
	if err := producer.BeginTransaction(); err != nil {
		return records, false, err
	}
	var once sync.Once
	var failed error
	for _, each := range records {
		producer.Produce(context.Background(), each, func(_ *kgo.Record, err error) {
			if err != nil {
				once.Do(func() { failed = err })
			}
		})
		task.Pause()
	}
	if err := producer.Flush(context.Background()); err != nil {
		return records, true, err
	}
	if failed != nil {
		return records, true, failed
	}
	return records, true, producer.EndTransaction(context.Background(), kgo.TryCommit)
}

func consumerOptions() []kgo.Opt {
	options := []kgo.Opt{kgo.ConsumeTopics(task.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	if task.Isolation == "read_committed" {
		options = append(options, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	if task.Assign {
		return options // without a group it reads all partitions
	}
	options = append(options,
		kgo.ConsumerGroup(task.Group),
		kgo.AutoCommitInterval(time.Second),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
			given.TellPartitions("assigned", len(assigned[task.Topic]))
		}))
	if task.Count > 0 {
		options = append(options, kgo.DisableAutoCommit())
	}
	if task.Protocol == "consumer" {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.StickyBalancer()))
	}
	return options
}

func consume(ctx context.Context) error {
	consumer, err := client(consumerOptions()...)
	if err != nil {
		return err
	}
	defer consumer.Close() // leaves the group
	var places []*kgo.Record
	for delivered := 0; task.More(ctx, delivered); {
		fetches := consumer.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) {
			if !errors.Is(err, context.Canceled) {
				given.TellError(err)
			}
		})
		fetches.EachRecord(func(each *kgo.Record) {
			if task.Count == 0 || delivered < task.Count {
				delivered++
				given.TellPlace("delivered", string(each.Value), each.Partition, each.Offset)
				places = append(places, each)
			}
		})
		if task.Count == 0 {
			places = nil
		}
	}
	if task.Count > 0 {
		if err := consumer.CommitRecords(context.Background(), places...); err != nil {
			return err
		}
		given.Tell("committed")
	}
	return nil
}

func share(ctx context.Context) error {
	consumer, err := client(kgo.ShareGroup(task.Group), kgo.ConsumeTopics(task.Topic))
	if err != nil {
		return err
	}
	defer consumer.Close()
	for delivered := 0; task.More(ctx, delivered); {
		fetches := consumer.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) { given.TellError(err) })
		fetches.EachRecord(func(each *kgo.Record) {
			delivered++
			given.TellPlace("delivered", string(each.Value), each.Partition, each.Offset)
			each.Ack(kgo.AckAccept)
		})
	}
	return consumer.FlushAcks(context.Background())
}

func transact(ctx context.Context) error {
	producer, err := client(kgo.TransactionalID(task.TransactionalID))
	if err != nil {
		return err
	}
	defer producer.Close()
	for _, outcome := range given.Outcomes {
		if err := producer.BeginTransaction(); err != nil {
			return err
		}
		for number := range task.Count {
			sent := record(number, task.ValueOf(outcome, number))
			if err := producer.ProduceSync(ctx, sent).FirstErr(); err != nil {
				return err
			}
		}
		if err := producer.EndTransaction(ctx, kgo.TransactionEndTry(outcome == given.Committed)); err != nil {
			return err
		}
		given.Tell(outcome)
	}
	return nil
}

func withAdmin(action func(*kadm.Client) error) error {
	plain, err := client()
	if err != nil {
		return err
	}
	defer plain.Close()
	return action(kadm.NewClient(plain))
}

func create(ctx context.Context) error {
	return withAdmin(func(admin *kadm.Client) error {
		if _, err := admin.CreateTopic(ctx, int32(task.Partitions), 3, nil, task.Topic); err != nil {
			return err
		}
		partitions, err := given.Until(func() (int, error) {
			found, err := admin.ListTopics(ctx, task.Topic)
			if err != nil || errors.Is(found[task.Topic].Err, kerr.UnknownTopicOrPartition) {
				return 0, err
			}
			return len(found[task.Topic].Partitions), found[task.Topic].Err
		})
		if err == nil {
			given.TellPartitions("created", partitions)
		}
		return err
	})
}

func remove(ctx context.Context) error {
	return withAdmin(func(admin *kadm.Client) error {
		if _, err := admin.DeleteTopic(ctx, task.Topic); err != nil {
			return err
		}
		given.Tell("deleted")
		return nil
	})
}

func main() {
	read, ctx := given.Read()
	task = read
	forever := produce
	if task.TransactionalID != "" {
		forever = produceTransactions
	}
	task.Run(ctx, map[string]func(context.Context) error{
		"produce": produce, "produce-forever": forever, "consume": consume, "consume-forever": consume,
		"share": share, "transact": transact, "create": create, "delete": remove,
	})
}
