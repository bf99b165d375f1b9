// Command segmentio is segmentio's kafka-go: `segmentio COMMAND ...`.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"tidegate.test/clients/given"
)

var task *given.Task

func mechanism() (sasl.Mechanism, error) {
	switch {
	case task.TLS == nil:
		return nil, nil
	case task.Mechanism == "PLAIN":
		return plain.Mechanism{Username: task.User, Password: task.Password}, nil
	case task.Mechanism == "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, task.User, task.Password)
	default:
		return scram.Mechanism(scram.SHA512, task.User, task.Password)
	}
}

func transport() (*kafka.Transport, error) {
	login, err := mechanism()
	return &kafka.Transport{TLS: task.TLS, SASL: login}, err
}

func produce(ctx context.Context) error {
	way, err := transport()
	if err != nil {
		return err
	}
	writer := &kafka.Writer{
		Addr:         kafka.TCP(task.Brokers...),
		Topic:        task.Topic,
		Balancer:     &kafka.Hash{},
		RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond,
		Transport:    way,
		Async:        true,
		Completion: func(messages []kafka.Message, err error) {
			for _, each := range messages {
				if err != nil {
					given.TellFailed(string(each.Value), err)
				} else {
					given.TellPlace("acked", string(each.Value), int32(each.Partition), each.Offset)
				}
			}
		},
	}
	for number := 0; task.More(ctx, number); number++ {
		sent := kafka.Message{Key: given.Key(number), Value: []byte(task.Value(number))}
		if err := writer.WriteMessages(context.Background(), sent); err != nil {
			given.TellFailed(string(sent.Value), err)
		}
		task.Pause()
	}
	return writer.Close()
}

func consume(ctx context.Context) error {
	if task.Assign {
		return errors.New("this program reads in groups only")
	}
	login, err := mechanism()
	if err != nil {
		return err
	}
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:     task.Brokers,
		Dialer:      &kafka.Dialer{TLS: task.TLS, SASLMechanism: login, Timeout: 10 * time.Second, DualStack: true},
		GroupID:     task.Group,
		Topic:       task.Topic,
		StartOffset: kafka.FirstOffset,
		MaxWait:     200 * time.Millisecond,
		ErrorLogger: kafka.LoggerFunc(func(text string, fields ...any) {}),
	})
	var delivered []kafka.Message
	for done := 0; task.More(ctx, done); done++ {
		message, err := reader.FetchMessage(ctx)
		if err != nil {
			if ctx.Err() == nil {
				given.TellError(err)
			}
			continue
		}
		given.TellPlace("delivered", string(message.Value), int32(message.Partition), message.Offset)
		delivered = append(delivered, message)
		if task.Count == 0 {
			if err := reader.CommitMessages(ctx, message); err != nil && ctx.Err() == nil {
				given.TellError(err)
			}
			delivered = nil
		}
	}
	if task.Count > 0 {
		if err := reader.CommitMessages(context.Background(), delivered...); err != nil {
			return err
		}
		given.Tell("committed")
	}
	return reader.Close()
}

func client() (*kafka.Client, error) {
	way, err := transport()
	return &kafka.Client{Addr: kafka.TCP(task.Brokers...), Transport: way, Timeout: 30 * time.Second}, err
}

func create(ctx context.Context) error {
	admin, err := client()
	if err != nil {
		return err
	}
	topic := kafka.TopicConfig{Topic: task.Topic, NumPartitions: task.Partitions, ReplicationFactor: 3}
	created, err := admin.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = created.Errors[task.Topic]
	}
	if err != nil {
		return err
	}
	partitions, err := given.Until(func() (int, error) {
		found, err := admin.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{task.Topic}})
		if err != nil || errors.Is(found.Topics[0].Error, kafka.UnknownTopicOrPartition) {
			return 0, err
		}
		return len(found.Topics[0].Partitions), found.Topics[0].Error
	})
	if err == nil {
		given.TellPartitions("created", partitions)
	}
	return err
}

func remove(ctx context.Context) error {
	admin, err := client()
	if err != nil {
		return err
	}
	deleted, err := admin.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{task.Topic}})
	if err == nil {
		err = deleted.Errors[task.Topic]
	}
	if err == nil {
		given.Tell("deleted")
	}
	return err
}

func main() {
	read, ctx := given.Read()
	task = read
	task.Run(ctx, map[string]func(context.Context) error{
		"produce": produce, "produce-forever": produce, "consume": consume, "consume-forever": consume,
		"create": create, "delete": remove,
	})
}
