"""The drill's own clients: real ones, through the gateway, whose every record is accounted for.

A client's name is its Kafka client id, so that a fault can select it by name.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from appliance.drills.scenario.lab import Settings, TopicName
from appliance.resources.envelope import Name, Spec
from appliance.resources.units import Duration, Rate, Size

BASELINE = "baseline"
"""In `starts`: with the drill itself, before the first step."""

_OWNED = {
    "bootstrap.servers": "the lab decides it",
    "metadata.broker.list": "the lab decides it",
    "client.id": "it is the client's name",
    "acks": "say acks",
    "request.required.acks": "say acks",
    "enable.idempotence": "say idempotent",
    "message.timeout.ms": "say delivery_timeout",
    "delivery.timeout.ms": "say delivery_timeout",
    "retries": "say retries",
    "message.send.max.retries": "say retries",
    "max.in.flight": "say in_flight",
    "max.in.flight.requests.per.connection": "say in_flight",
    "group.id": "say group",
    "group.protocol": "say protocol",
    "security.protocol": "the run decides it (--security)",
    "sasl.mechanism": "the run decides it (--security)",
    "sasl.mechanisms": "the run decides it (--security)",
    "sasl.username": "the run decides it (--security)",
    "sasl.password": "the run decides it (--security)",
}
"""librdkafka's settings that have a key of their own here, or that are not the user's to choose."""


def _free_settings(settings: Settings) -> Settings:
    owned = [f"{name} ({_OWNED[name]})" for name in settings if name in _OWNED]
    if owned:
        raise ValueError(f"not to be set here: {', '.join(owned)}")
    return settings


class Produce(Spec):
    """A producer of numbered records, evenly over its partitions."""

    topic: TopicName
    rate: Rate = 100.0
    """Over all its partitions. 0/s: it is connected, and writes only in its `turns`."""
    acks: Literal["all", 1, 0] = "all"
    idempotent: bool = True
    value_size: Size = 200
    partitions: list[int] | None = Field(default=None, min_length=1)
    """Those that it writes to; all where absent."""
    delivery_timeout: Duration = 60.0
    """How long the library tries before it gives a record up."""
    retries: int | None = Field(default=None, ge=0)
    """librdkafka's own where absent."""
    in_flight: int | None = Field(default=None, ge=1)
    """Requests under way per connection; librdkafka's own where absent."""
    starts: str = BASELINE
    """`baseline`, or a step's id: it is started, and ready to write, before that step does what it does."""
    settings: Settings = Field(default_factory=dict)
    """More of librdkafka's settings."""

    _settings = field_validator("settings")(_free_settings)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.idempotent:
            if self.acks != "all":
                raise ValueError(f"an idempotent producer needs acks: all, found {self.acks}: say idempotent: false")
            if self.retries == 0:
                raise ValueError("an idempotent producer needs retries, found 0: say idempotent: false")
            if self.in_flight is not None and self.in_flight > 5:
                raise ValueError(f"an idempotent producer has at most 5 requests in flight, found {self.in_flight}")
        if self.delivery_timeout <= 0:
            raise ValueError("delivery_timeout: expected more than 0s: a record that is never given up is never judged")
        return self

    @property
    def idle(self) -> bool:
        """Return whether it writes only in turns."""
        return self.rate == 0


class Consume(Spec):
    """A consumer from the beginning of the topic: of all partitions at once, or as a member of a group."""

    topic: TopicName
    group: str | None = Field(default=None, min_length=1)
    """Where absent: a fixed assignment of all partitions, whose position is its own."""
    protocol: Literal["classic", "consumer"] = "classic"
    """How the group is kept: the classic protocol, or KIP-848's."""
    starts: str = BASELINE
    """As for producers."""
    settings: Settings = Field(default_factory=dict)
    """More of librdkafka's settings."""

    _settings = field_validator("settings")(_free_settings)

    @model_validator(mode="after")
    def _protocol_has_group(self) -> Self:
        if self.group is None and "protocol" in self.model_fields_set:
            raise ValueError("protocol is how a group is kept: say group too")
        return self


class Client(Spec):
    """One client. Exactly one of `produce`, `consume`."""

    name: Name
    produce: Produce | None = None
    consume: Consume | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.produce is None) == (self.consume is None):
            found = "none" if self.produce is None else "both"
            raise ValueError(f"expected exactly one of produce, consume; found {found}")
        return self

    @property
    def work(self) -> Produce | Consume:
        """Return what it does."""
        work = self.produce or self.consume
        assert work is not None
        return work

    @property
    def role(self) -> Literal["producer", "assigned-consumer", "group-consumer"]:
        """Return its role, in the journal's words."""
        if self.produce:
            return "producer"
        return "group-consumer" if self.consume and self.consume.group else "assigned-consumer"
