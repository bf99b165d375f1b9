// Command sarama is IBM's sarama: `sarama COMMAND ...`.
package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"

	"tidegate.test/clients/given"
)

var task *given.Task

// login is what sarama leaves to its user: a SCRAM conversation.
type login struct {
	generator    scram.HashGeneratorFcn
	conversation *scram.ClientConversation
}

func (each *login) Begin(user, password, authorization string) error {
	client, err := each.generator.NewClient(user, password, authorization)
	if err == nil {
		each.conversation = client.NewConversation()
	}
	return err
}

func (each *login) Step(challenge string) (string, error) {
	return each.conversation.Step(challenge)
}

func (each *login) Done() bool {
	return each.conversation.Done()
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V4_0_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = task.Count == 0
	config.Consumer.Return.Errors = true
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	if task.Isolation == "read_committed" {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	if task.TLS != nil {
		config.Net.TLS.Enable, config.Net.TLS.Config = true, task.TLS
		config.Net.SASL.Enable = true
		config.Net.SASL.User, config.Net.SASL.Password = task.User, task.Password
		config.Net.SASL.Mechanism = sarama.SASLMechanism(task.Mechanism)
		generator := scram.SHA512
		if task.Mechanism == sarama.SASLTypeSCRAMSHA256 {
			generator = scram.SHA256
		}
		config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &login{generator: generator} }
	}
	return config
}

func idempotent(config *sarama.Config) *sarama.Config {
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	return config
}

func message(number int, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{
		Topic: task.Topic, Key: sarama.ByteEncoder(given.Key(number)), Value: sarama.StringEncoder(value), Metadata: value,
	}
}

func acked(message *sarama.ProducerMessage) {
	given.TellPlace("acked", message.Metadata.(string), message.Partition, message.Offset)
}

func produce(ctx context.Context) error {
	config := settings()
	if task.Idempotent {
		config = idempotent(config)
	}
	producer, err := sarama.NewAsyncProducer(task.Brokers, config)
	if err != nil {
		return err
	}
	var readers, unanswered sync.WaitGroup
	readers.Go(func() {
		for message := range producer.Successes() {
			acked(message)
			unanswered.Done()
		}
	})
	readers.Go(func() {
		for failed := range producer.Errors() {
			given.TellFailed(failed.Msg.Metadata.(string), failed.Err)
			unanswered.Done()
		}
	})
	for number := 0; task.More(ctx, number); number++ {
		unanswered.Add(1)
		producer.Input() <- message(number, task.Value(number))
		task.Pause()
	}
	unanswered.Wait() // sarama has no flush, and closing refuses a batch that it is about to send again
	producer.AsyncClose()
	readers.Wait()
	return nil
}

func transactional() (sarama.SyncProducer, error) {
	config := idempotent(settings())
	config.Producer.Transaction.ID = task.TransactionalID
	return sarama.NewSyncProducer(task.Brokers, config)
}

// produceTransactions writes transactions of ten records without end; an aborted one is told as failed, not tried again.
func produceTransactions(ctx context.Context) error {
	var producer sarama.SyncProducer
	for number := 0; ctx.Err() == nil; number += given.TransactionRecords {
		messages, err := transaction(&producer, number)
		if err == nil {
			for _, each := range messages {
				acked(each)
			}
			given.Tell("committed")
			continue
		}
		for _, each := range messages {
			given.TellFailed(each.Metadata.(string), err)
		}
		if producer == nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if producer.TxnStatus()&sarama.ProducerTxnFlagFatalError == 0 {
			if err = producer.AbortTxn(); err == nil {
				given.Tell("aborted")
				continue
			}
			given.TellError(err)
		}
		if err = producer.Close(); err != nil {
			given.TellError(err)
		}
		producer = nil
	}
	if producer != nil {
		return producer.Close()
	}
	return nil
}

func transaction(producer *sarama.SyncProducer, first int) ([]*sarama.ProducerMessage, error) {
	var messages []*sarama.ProducerMessage
	for each := range given.TransactionRecords {
		messages = append(messages, message(first+each, task.Value(first+each)))
	}
	if *producer == nil {
		opened, err := transactional()
		if err != nil {
			return messages, err
		}
		*producer = opened
	}
	if err := (*producer).BeginTxn(); err != nil {
		return messages, err
	}
	for _, each := range messages {
		if _, _, err := (*producer).SendMessage(each); err != nil {
			return messages, err
		}
		task.Pause()
	}
	return messages, (*producer).CommitTxn()
}

// member is one of a group; `enough` is called when Count records have been delivered and marked.
type member struct {
	delivered int
	mutex     sync.Mutex
	enough    context.CancelFunc
}

func (each *member) Setup(session sarama.ConsumerGroupSession) error {
	given.TellPartitions("assigned", len(session.Claims()[task.Topic]))
	return nil
}

func (each *member) Cleanup(session sarama.ConsumerGroupSession) error {
	if task.Count > 0 {
		session.Commit()
		given.Tell("committed")
	}
	return nil
}

func (each *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		if !each.deliver(session, message) {
			return nil
		}
	}
	return nil
}

func (each *member) deliver(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) bool {
	each.mutex.Lock() // claims are consumed at once
	defer each.mutex.Unlock()
	if task.Count > 0 && each.delivered >= task.Count {
		return false
	}
	each.delivered++
	given.TellPlace("delivered", string(message.Value), message.Partition, message.Offset)
	session.MarkMessage(message, "")
	if each.delivered == task.Count {
		each.enough()
	}
	return true
}

func consume(ctx context.Context) error {
	if task.Assign {
		return consumeAssigned(ctx)
	}
	group, err := sarama.NewConsumerGroup(task.Brokers, task.Group, settings())
	if err != nil {
		return err
	}
	go func() {
		for err := range group.Errors() {
			given.TellError(err)
		}
	}()
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	one := &member{enough: enough}
	for ctx.Err() == nil {
		if err := group.Consume(ctx, []string{task.Topic}, one); err != nil && !errors.Is(err, context.Canceled) {
			given.TellError(err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	return group.Close()
}

func consumeAssigned(ctx context.Context) error {
	consumer, err := sarama.NewConsumer(task.Brokers, settings())
	if err != nil {
		return err
	}
	partitions, err := consumer.Partitions(task.Topic)
	if err != nil {
		return err
	}
	for _, partition := range partitions {
		claim, err := consumer.ConsumePartition(task.Topic, partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		go func() {
			for message := range claim.Messages() {
				given.TellPlace("delivered", string(message.Value), message.Partition, message.Offset)
			}
		}()
		go func() {
			for err := range claim.Errors() {
				given.TellError(err)
			}
		}()
	}
	<-ctx.Done()
	return nil
}

func transact(context.Context) error {
	producer, err := transactional()
	if err != nil {
		return err
	}
	for _, outcome := range given.Outcomes {
		if err := producer.BeginTxn(); err != nil {
			return err
		}
		for number := range task.Count {
			if _, _, err := producer.SendMessage(message(number, task.ValueOf(outcome, number))); err != nil {
				return err
			}
		}
		end := producer.AbortTxn
		if outcome == given.Committed {
			end = producer.CommitTxn
		}
		if err := end(); err != nil {
			return err
		}
		given.Tell(outcome)
	}
	return producer.Close()
}

func withAdmin(action func(sarama.ClusterAdmin) error) error {
	admin, err := sarama.NewClusterAdmin(task.Brokers, settings())
	if err != nil {
		return err
	}
	if err := action(admin); err != nil {
		return err
	}
	return admin.Close()
}

func create(context.Context) error {
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		detail := &sarama.TopicDetail{NumPartitions: int32(task.Partitions), ReplicationFactor: 3}
		if err := admin.CreateTopic(task.Topic, detail, false); err != nil {
			return err
		}
		partitions, err := given.Until(func() (int, error) {
			found, err := admin.DescribeTopics([]string{task.Topic})
			if err != nil || found[0].Err == sarama.ErrUnknownTopicOrPartition {
				return 0, err
			}
			if found[0].Err != sarama.ErrNoError {
				return 0, found[0].Err
			}
			return len(found[0].Partitions), nil
		})
		if err == nil {
			given.TellPartitions("created", partitions)
		}
		return err
	})
}

func remove(context.Context) error {
	return withAdmin(func(admin sarama.ClusterAdmin) error {
		if err := admin.DeleteTopic(task.Topic); err != nil {
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
		"transact": transact, "create": create, "delete": remove,
	})
}
