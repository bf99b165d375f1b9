// Package given is what the Go programs share: their arguments, their events, and how they are told to end.
package given

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

// TransactionRecords is how many records `produce-forever` puts into each transaction.
const TransactionRecords = 10

// Aborted and Committed are what becomes of transactions.
const (
	Aborted   = "aborted"
	Committed = "committed"
)

// Outcomes are what `transact` does, in order.
var Outcomes = []string{Aborted, Committed}

// Task is the command line.
type Task struct {
	Command, Topic, Prefix, Protocol, Isolation, Group, TransactionalID string
	Brokers                                                             []string
	Count, Partitions, Pace                                             int
	Idempotent, Assign                                                  bool
	Mechanism, User, Password                                           string
	TLS                                                                 *tls.Config
}

// Read reads the command line and returns it with a context that ends with SIGTERM.
func Read() (*Task, context.Context) {
	task := &Task{Command: os.Args[1]}
	flags := flag.NewFlagSet(task.Command, flag.ExitOnError)
	bootstrap := flags.String("bootstrap", "", "")
	idempotent := flags.String("idempotent", "true", "")
	assign := flags.String("assign", "false", "")
	authority := flags.String("ca", "", "")
	passwordFile := flags.String("password-file", "", "")
	flags.StringVar(&task.Topic, "topic", "", "")
	flags.StringVar(&task.Prefix, "prefix", "", "")
	flags.StringVar(&task.Protocol, "protocol", "classic", "")
	flags.StringVar(&task.Isolation, "isolation", "read_uncommitted", "")
	flags.StringVar(&task.Group, "group", "", "")
	flags.StringVar(&task.TransactionalID, "transactional-id", "", "")
	flags.StringVar(&task.Mechanism, "mechanism", "", "")
	flags.StringVar(&task.User, "user", "", "")
	flags.IntVar(&task.Count, "count", 0, "")
	flags.IntVar(&task.Partitions, "partitions", 0, "")
	flags.IntVar(&task.Pace, "pace", 0, "")
	_ = flags.Parse(os.Args[2:]) // it ends the program itself
	task.Brokers = strings.Split(*bootstrap, ",")
	task.Idempotent, task.Assign = *idempotent == "true", *assign == "true"
	if *authority != "" {
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(must(os.ReadFile(*authority))) {
			panic("no certificate in " + *authority)
		}
		task.TLS = &tls.Config{RootCAs: roots}
		task.Password = string(must(os.ReadFile(*passwordFile)))
	}
	ctx, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	return task, ctx
}

// Run does what the command line says and ends the program.
func (task *Task) Run(ctx context.Context, commands map[string]func(context.Context) error) {
	command, known := commands[task.Command]
	if !known {
		fmt.Fprintln(os.Stderr, "this library cannot", task.Command)
		os.Exit(2)
	}
	if err := command(ctx); err != nil {
		TellError(err)
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// More tells whether a loop that has done this many goes on: up to Count, or without end where none is given.
func (task *Task) More(ctx context.Context, done int) bool {
	return ctx.Err() == nil && (task.Count == 0 || done < task.Count)
}

// Key is the key of a record: 100 of them, which any partitioner spreads.
func Key(number int) []byte {
	return fmt.Appendf(nil, "k%d", number%100)
}

// Value is the value of a record.
func (task *Task) Value(number int) string {
	return fmt.Sprintf("%s-%d", task.Prefix, number)
}

// ValueOf is the value of a record of a transaction that ends so.
func (task *Task) ValueOf(outcome string, number int) string {
	return fmt.Sprintf("%s-%s-%d", task.Prefix, outcome, number)
}

// Pause waits as long as there shall be between two records.
func (task *Task) Pause() {
	time.Sleep(time.Duration(task.Pace) * time.Millisecond)
}

type event struct {
	Event      string  `json:"event"`
	At         float64 `json:"at"`
	Value      string  `json:"value"`
	Partition  int32   `json:"partition"`
	Offset     int64   `json:"offset"`
	Partitions int     `json:"partitions"`
	Text       string  `json:"text"`
}

var telling sync.Mutex

func tell(told event) {
	telling.Lock()
	defer telling.Unlock()
	told.At = float64(time.Now().UnixMilli()) / 1000
	if err := json.NewEncoder(os.Stdout).Encode(told); err != nil {
		panic(err)
	}
}

// TellPlace tells of a record that lies somewhere: acked, delivered.
func TellPlace(kind, value string, partition int32, offset int64) {
	tell(event{Event: kind, Value: value, Partition: partition, Offset: offset})
}

// TellFailed tells that the application was told that a record is not written.
func TellFailed(value string, err error) {
	tell(event{Event: "failed", Value: value, Text: err.Error()})
}

// TellPartitions tells of partitions: created, assigned.
func TellPartitions(kind string, partitions int) {
	tell(event{Event: kind, Partitions: partitions})
}

// Tell tells that something is done.
func Tell(kind string) {
	tell(event{Event: kind})
}

// TellError tells of an error that the application saw.
func TellError(err error) {
	tell(event{Event: "error", Text: err.Error()})
}

// Until asks until there is an answer; a broker may not have heard yet of what another has done.
func Until(ask func() (int, error)) (int, error) {
	for range 300 {
		if found, err := ask(); err != nil || found > 0 {
			return found, err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return 0, fmt.Errorf("no answer in 30 s")
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}
