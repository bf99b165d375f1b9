"""The locust file: applications of several kinds, each with another client library or way to use it.

locust runs greenlets. kafka-python is Python and waits as they do; librdkafka's calls would stop them all, so they are
made without waiting, or in gevent's threads where they have to wait. Every record is marked and accounted for in one
ledger, as in a drill.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle
from typing import Any, ClassVar

import gevent
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError as PythonKafkaError
from locust import User, constant_pacing, events, task
from locust.env import Environment
from locust.exception import StopUser

from appliance.drills.ledger import Delivery, Outcome
from appliance.drills.traffic.marks import Mark, read_mark
from appliance.drills.traffic.outcomes import outcome_of
from tests.soak.books import Books
from tests.soak.plans import ORDERS, PARTITIONS, PAYMENTS, VALUE_BYTES, Brief

BRIEF = Brief.from_environment()
BOOKS = Books(time.perf_counter)
_WRITERS, _TRANSACTION, _ABORT_EVERY = 4, 5, 5
_WAIT = 60.0
"""Seconds for a last answer before a user gives up."""
_HARD = 30.0


class _Course:
    """How far the soak is: everybody works, then writers have finished, then readers have read everything."""

    def __init__(self) -> None:
        self.writing = self.reading = True
        self.writers: set[str] = set()
        self.readers: set[str] = set()


COURSE = _Course()


def _direct(environment: Environment, **_: Any) -> None:
    gevent.spawn(_play, environment)


events.test_start.add_listener(_direct)


def _play(environment: Environment) -> None:
    gevent.sleep(BRIEF.seconds)
    COURSE.writing = False
    _until(lambda: not COURSE.writers, _WAIT + _HARD)
    COURSE.reading = False
    _until(lambda: not COURSE.readers, _WAIT + _HARD)
    BOOKS.close(BRIEF.results, environment.stats, COURSE.writers | COURSE.readers)
    assert environment.runner is not None
    environment.runner.quit()


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.perf_counter() + seconds
    while not condition() and time.perf_counter() < end:
        gevent.sleep(0.2)


def _in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Make a call that waits without stopping the other users."""
    return gevent.get_hub().threadpool.apply(call, arguments)


_numbers = count(1)


class _Named(User):
    """A user with a client id of its own."""

    abstract = True

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.name = f"{type(self).__name__.lower()}-{next(_numbers)}"

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return librdkafka's settings."""
        return {"bootstrap.servers": self.host, "client.id": self.name, "log_level": 2, **more}

    def tell(self, what: str, since: float, error: Exception | None = None) -> None:
        """Count something for locust's statistics."""
        self.environment.events.request.fire(
            request_type=what,
            name=type(self).__name__,
            response_time=(time.perf_counter() - since) * 1000,
            response_length=0,
            exception=error,
            context={},
        )


class _Writing(_Named):
    """A user that writes until the soak's time is over, then waits for the fate of what it wrote."""

    abstract = True
    topic = ORDERS

    def on_start(self) -> None:
        COURSE.writers.add(self.name)
        self.marks = self._marks()

    def _marks(self) -> Iterator[Mark]:
        sequences = [count() for _ in range(PARTITIONS[self.topic])]
        for partition in cycle(range(len(sequences))):
            yield Mark(BRIEF.run, self.name, partition, next(sequences[partition]))

    def note(self, mark: Mark, sent: float, outcome: Outcome, offset: int | None = None, error: str = "") -> None:
        """Write down what became of a record."""
        BOOKS.wrote(self.topic, mark, sent, outcome, offset, error)

    def go_on(self) -> None:
        """Return while there is time; else finish and end this user."""
        if COURSE.writing:
            return
        self.finish()
        COURSE.writers.discard(self.name)
        raise StopUser

    @abstractmethod
    def finish(self) -> None:
        """Wait for what is out."""


class Writer(_Writing):
    """librdkafka, idempotent."""

    fixed_count = 2
    wait_time = constant_pacing(_WRITERS / BRIEF.rate)

    def on_start(self) -> None:
        super().on_start()
        self.producer = Producer(self.settings(**{"enable.idempotence": True, "linger.ms": 5}))

    @task
    def write(self) -> None:
        """Write one record."""
        self.go_on()
        mark, sent = next(self.marks), BOOKS.now()
        try:
            self.producer.produce(
                self.topic,
                mark.value(VALUE_BYTES),
                partition=mark.partition,
                on_delivery=partial(self._delivered, mark, sent, time.perf_counter()),
            )
        except BufferError:
            self.note(mark, sent, "failed", error="_QUEUE_FULL")
        self.producer.poll(0)

    def _delivered(self, mark: Mark, sent: float, since: float, error: KafkaError | None, message: Message) -> None:
        name = error.name() if error is not None else ""
        self.note(mark, sent, outcome_of(error), message.offset() if error is None else None, name)
        self.tell("produce", since, KafkaException(error) if error is not None else None)

    def finish(self) -> None:
        if _in_thread(self.producer.flush, _WAIT):
            self.producer.purge()
            _in_thread(self.producer.flush, 1.0)


class PythonWriter(_Writing):
    """kafka-python, idempotent."""

    fixed_count = 1
    wait_time = constant_pacing(_WRITERS / BRIEF.rate)

    def on_start(self) -> None:
        super().on_start()
        self.producer = KafkaProducer(
            bootstrap_servers=self.host, client_id=self.name, enable_idempotence=True, linger_ms=5
        )

    @task
    def write(self) -> None:
        """Write one record."""
        self.go_on()
        mark, sent, since = next(self.marks), BOOKS.now(), time.perf_counter()
        future = self.producer.send(self.topic, mark.value(VALUE_BYTES), partition=mark.partition)
        future.add_callback(partial(self._written, mark, sent, since))
        future.add_errback(partial(self._failed, mark, sent, since))

    def _written(self, mark: Mark, sent: float, since: float, metadata: Any) -> None:
        self.note(mark, sent, "acknowledged", metadata.offset)
        self.tell("produce", since)

    def _failed(self, mark: Mark, sent: float, since: float, error: Exception) -> None:
        self.note(mark, sent, "indeterminate", error=type(error).__name__)
        self.tell("produce", since, error)

    def finish(self) -> None:
        self.producer.flush(timeout=_WAIT)
        self.producer.close(timeout=_WAIT)


class Transactor(_Writing):
    """librdkafka with transactions; some are aborted, and their records must never be seen."""

    fixed_count = 1
    topic = PAYMENTS
    wait_time = constant_pacing(_WRITERS / BRIEF.rate * _TRANSACTION)

    def on_start(self) -> None:
        super().on_start()
        self.rounds = count(1)
        self._open()

    def _open(self) -> None:
        # A soak that follows a failure takes over by the same id: the broker then ends what was left open.
        self.producer = Producer(self.settings(**{"transactional.id": f"{BRIEF.run}-{self.name}"}))
        _in_thread(self.producer.init_transactions, _WAIT)

    @task
    def transact(self) -> None:
        """Write some records in a transaction, and commit or abort it."""
        self.go_on()
        since, sent = time.perf_counter(), BOOKS.now()
        marks = [next(self.marks) for _ in range(_TRANSACTION)]
        abort = next(self.rounds) % _ABORT_EVERY == 0
        outcome: Outcome = "failed"
        try:
            self.producer.begin_transaction()
            for mark in marks:
                self.producer.produce(self.topic, mark.value(VALUE_BYTES), partition=mark.partition)
            if abort:
                _in_thread(self._abort)
            else:
                outcome = "indeterminate"
                outcome = _in_thread(self._commit)
        except KafkaException as error:
            self.tell("transaction", since, error)
            self._open()
        else:
            self.tell("abort" if abort else "commit", since)
        for mark in marks:
            self.note(mark, sent, outcome, error="" if outcome == "acknowledged" else "aborted")

    def _abort(self) -> None:
        self.producer.flush(_WAIT)  # so that there is something in the log to abort
        self.producer.abort_transaction(_WAIT)

    def _commit(self) -> Outcome:
        while True:
            try:
                self.producer.commit_transaction(_WAIT)
            except KafkaException as error:
                if error.args[0].retriable():
                    continue
                if error.args[0].txn_requires_abort():
                    self.producer.abort_transaction(_WAIT)
                    return "failed"
                raise
            return "acknowledged"

    def finish(self) -> None:
        """Every transaction has ended in `transact`."""


class _Reading(_Named):
    """A user that reads until the writers have finished, then to the end."""

    abstract = True
    topic = ORDERS
    more: ClassVar[dict[str, Any]] = {}
    wait_time = constant_pacing(0.05)

    def on_start(self) -> None:
        COURSE.readers.add(self.name)
        BOOKS.reads(self.name, self.more.get("group.id"))
        defaults = {"group.id": self.name, "auto.offset.reset": "earliest", "enable.auto.commit": False}
        self.consumer = Consumer(self.settings(**(defaults | self.more)))
        self.idle_since = time.perf_counter()
        self.join()

    def join(self) -> None:
        """Take all partitions, from the beginning."""
        everywhere = range(PARTITIONS[self.topic])
        self.consumer.assign([TopicPartition(self.topic, each, OFFSET_BEGINNING) for each in everywhere])

    @task
    def read(self) -> None:
        """Take what has come."""
        since = time.perf_counter()
        messages = self.consumer.consume(500, 0)
        for message in messages:
            error = message.error()
            if error is not None:
                self.tell("consume", since, KafkaException(error))
            else:
                _note_delivery(self.name, self.topic, message.partition(), message.offset(), message.value())
        if messages:
            self.idle_since = time.perf_counter()
            self.tell("consume", since)
        if not COURSE.reading and time.perf_counter() - self.idle_since > 1 and _in_thread(self._at_end):
            _in_thread(self.consumer.close)
            COURSE.readers.discard(self.name)
            raise StopUser

    def _at_end(self) -> bool:
        """Return whether nothing is left to read in what this consumer holds; one without a partition has read all."""
        try:
            places = self.consumer.position(self.consumer.assignment())
            return all(
                place.offset >= self.consumer.get_watermark_offsets(place, timeout=5.0)[1]
                for place in places
                if place.offset >= 0
            )
        except KafkaException:
            return False


class Follower(_Reading):
    """librdkafka, all partitions by itself: it must see every record once and in order."""

    fixed_count = 1


class Accountant(_Reading):
    """librdkafka, committed transactions only."""

    fixed_count = 1
    topic = PAYMENTS
    more: ClassVar[dict[str, Any]] = {"isolation.level": "read_committed"}


class _Member(_Reading):
    abstract = True

    def join(self) -> None:
        self.consumer.subscribe([self.topic])


class ClassicMember(_Member):
    """librdkafka in a group as it always was."""

    fixed_count = 2
    more: ClassVar[dict[str, Any]] = {
        "group.id": "classic",
        "enable.auto.commit": True,
        "auto.commit.interval.ms": 1000,
    }


class ModernMember(_Member):
    """librdkafka in a group of KIP-848."""

    fixed_count = 2
    more: ClassVar[dict[str, Any]] = {"group.id": "modern", "group.protocol": "consumer", "enable.auto.commit": True}


class PythonMember(_Named):
    """kafka-python in a group of its own."""

    fixed_count = 1
    wait_time = constant_pacing(0.05)

    def on_start(self) -> None:
        COURSE.readers.add(self.name)
        BOOKS.reads(self.name, "python")
        self.consumer = KafkaConsumer(
            ORDERS,
            bootstrap_servers=self.host,
            client_id=self.name,
            group_id="python",
            auto_offset_reset="earliest",
            auto_commit_interval_ms=1000,
        )
        self.idle_since = time.perf_counter()

    @task
    def read(self) -> None:
        """Take what has come."""
        since = time.perf_counter()
        try:
            found = self.consumer.poll(timeout_ms=100)
        except PythonKafkaError as error:
            self.tell("consume", since, error)
            return
        for records in found.values():
            for record in records:
                _note_delivery(self.name, record.topic, record.partition, record.offset, record.value)
        if found:
            self.idle_since = time.perf_counter()
            self.tell("consume", since)
        if not COURSE.reading and time.perf_counter() - self.idle_since > 1 and self._at_end():
            self.consumer.close()
            COURSE.readers.discard(self.name)
            raise StopUser

    def _at_end(self) -> bool:
        held = self.consumer.assignment()
        ends = self.consumer.end_offsets(list(held))
        # It is the only member: without a partition it is not at the end but outside.
        return bool(held) and all(self.consumer.position(place) >= ends[place] for place in held)


class Administrator(_Named):
    """librdkafka's admin client: topics that come and go, and questions about everything."""

    fixed_count = 1
    wait_time = constant_pacing(2)

    def on_start(self) -> None:
        self.admin = AdminClient(self.settings())
        self.numbers = count(1)

    @task
    def administer(self) -> None:
        """Make a topic, look around, delete it."""
        if not COURSE.writing:
            raise StopUser
        since, name = time.perf_counter(), f"passing-{next(self.numbers)}"
        try:
            _in_thread(self._come_and_go, name)
        except KafkaException as error:
            self.tell("admin", since, error)
        else:
            self.tell("admin", since)

    def _come_and_go(self, name: str) -> None:
        self.admin.create_topics([NewTopic(name, 3, 1)])[name].result(_HARD)
        self.admin.list_topics(timeout=_HARD)
        self.admin.describe_cluster().result(_HARD)
        groups = [group.group_id for group in self.admin.list_consumer_groups().result(_HARD).valid]
        for described in self.admin.describe_consumer_groups(groups).values() if groups else ():
            described.result(_HARD)
        self.admin.delete_topics([name])[name].result(_HARD)


class Visitor(_Named):
    """librdkafka, started anew each time: connections that come and go."""

    fixed_count = 2
    wait_time = constant_pacing(2)

    @task
    def visit(self) -> None:
        """Come, look, go."""
        if not COURSE.writing:
            raise StopUser
        since = time.perf_counter()
        try:
            _in_thread(self._look)
        except KafkaException as error:
            self.tell("visit", since, error)
        else:
            self.tell("visit", since)

    def _look(self) -> None:
        consumer = Consumer(self.settings(**{"group.id": self.name}))
        try:
            for partition in range(PARTITIONS[ORDERS]):
                consumer.get_watermark_offsets(TopicPartition(ORDERS, partition), timeout=_HARD)
        finally:
            consumer.close()


def _note_delivery(reader: str, topic: str, partition: int | None, offset: int | None, value: bytes | None) -> None:
    mark = read_mark(value)
    if mark is not None and mark.run == BRIEF.run and partition is not None and offset is not None:
        BOOKS.ledger.deliveries.append(Delivery(reader, topic, partition, offset, mark.id, BOOKS.now()))
