"""Sni: one port for the bootstrap address and all brokers, told apart by the host name in the TLS handshake."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from appliance.resources.envelope import Spec

NODE_ID = "{node_id}"
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_LONGEST_HOST = 253
_LONGEST_LABEL = 63


def host(text: str) -> str:
    """Return a host name in lower case. Raises ValueError."""
    lower = text.lower()
    labels = lower.split(".")
    if not _HOST.fullmatch(lower) or len(lower) > _LONGEST_HOST or max(map(len, labels)) > _LONGEST_LABEL:
        raise ValueError(f"expected a host name such as orders.kafka.example; found {text!r}")
    return lower


def broker_pattern(text: str) -> str:
    """Return a host name with {node_id} in it, in lower case. Raises ValueError."""
    lower = text.lower()
    if lower.count(NODE_ID) != 1:
        raise ValueError(f"expected a host name with {NODE_ID} once, such as b{NODE_ID}.kafka.example; found {text!r}")
    before, _, after = lower.partition(NODE_ID)
    if before[-1:].isdigit() or after[:1].isdigit():
        raise ValueError(f"expected no digit beside {NODE_ID}, as it could be one of the id; found {text!r}")
    host(lower.replace(NODE_ID, "2147483647"))
    return lower


HostName = Annotated[str, AfterValidator(host)]
BrokerPattern = Annotated[str, AfterValidator(broker_pattern), Field(examples=["b{node_id}.orders.kafka.example"])]


class Sni(Spec):
    """The host names of one listener. Its certificate must have all of them: the bootstrap's and a wildcard's."""

    bootstrap: HostName
    broker: BrokerPattern
    port: int | None = Field(default=None, ge=1, le=65535)
    """Port that clients are told, where it is another than the bound one: behind a load balancer."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.node_id_of(self.bootstrap) is not None:
            raise ValueError(f"bootstrap {self.bootstrap} is also the name of a broker: choose names that differ")
        return self

    def broker_host(self, node_id: int) -> str:
        """Return the host name of a broker."""
        return self.broker.replace(NODE_ID, str(node_id))

    def node_id_of(self, server_name: str) -> int | None:
        """Return the id of the broker whose host name this is, None where it is none of them."""
        before, _, after = self.broker.partition(NODE_ID)
        name = server_name.lower()
        middle = name[len(before) : len(name) - len(after)]
        if not middle.isascii() or not middle.isdecimal() or name != f"{before}{middle}{after}":
            return None
        return int(middle) if str(int(middle)) == middle and len(middle) <= 10 else None  # one name a broker


def indistinct(one: Sni, other: Sni) -> str | None:
    """Return why two listeners on one port cannot be told apart by host name, None where they can."""
    if one.bootstrap == other.bootstrap:
        return f"both have the host name {one.bootstrap}"
    for sni, name in ((one, other.bootstrap), (other, one.bootstrap)):
        if sni.node_id_of(name) is not None:
            return f"the host name {name} fits the brokers {sni.broker} too"
    if _overlap(one.broker, other.broker):
        return f"one host name can fit both {one.broker} and {other.broker}"
    return None


def _overlap(one: str, other: str) -> bool:
    """Return whether a text fits both patterns: walk both at once, over every pair of places."""
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    tokens = [list(_tokens(one)), list(_tokens(other))]
    while todo:
        pair = todo.pop()
        if pair in seen:
            continue
        seen.add(pair)
        left, right = tokens[0][pair[0] :], tokens[1][pair[1] :]
        if not left and not right:
            return True
        if left and right and _meet(left[0], right[0]):
            todo += [(pair[0] + 1, pair[1] + 1)]
            todo += [(pair[0], pair[1] + 1)] if left[0] == _DIGITS else []
            todo += [(pair[0] + 1, pair[1])] if right[0] == _DIGITS else []
    return False


_DIGITS = "0-9"
"""Stands for one or more digits in a walk; no single character equals it."""


def _tokens(pattern: str) -> Iterator[str]:
    before, _, after = pattern.partition(NODE_ID)
    yield from before
    yield _DIGITS
    yield from after


def _meet(one: str, other: str) -> bool:
    if one == other:
        return True
    return (one == _DIGITS and other.isdigit()) or (other == _DIGITS and one.isdigit())
