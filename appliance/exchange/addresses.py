"""Broker addresses in answers: found, learned, and replaced by the gateway's own.

A client that ever sees a real address will use it and be gone, so every answer that names nodes is rewritten, whatever
else is done with it (PROTOCOL: Metadata, FindCoordinator, DescribeCluster, DescribeQuorum, and the node endpoints that
KIP-951 added to Produce and Fetch and KIP-932 has in the share APIs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import NamedTuple

from appliance.exchange.topology import HostPort, Knowledge, Node
from appliance.wire.apis import KINDS, Api, response_header_version, understood
from appliance.wire.editing import Edit, encoded_string, int_at, string_at, varint
from appliance.wire.errors import Malformed
from appliance.wire.walk import Buffer, Place, Walk, tag_head, walk_of

Advertise = Callable[[int | None], HostPort]
"""Node id -> where clients reach it through the gateway; None for no node in particular: the bootstrap address."""


class _Carrier(NamedTuple):
    """How one API's answers carry nodes: from which version on, and the paths of node id, host and port."""

    since: int
    node_id: str
    host: str
    port: str
    until: int = 32767


_ENDPOINTS = ("node_endpoints.node_id", "node_endpoints.host", "node_endpoints.port")

CARRIERS: Mapping[int, tuple[_Carrier, ...]] = {
    Api.METADATA: (_Carrier(0, "brokers.node_id", "brokers.host", "brokers.port"),),
    Api.FIND_COORDINATOR: (
        _Carrier(0, "node_id", "host", "port", until=3),
        _Carrier(4, "coordinators.node_id", "coordinators.host", "coordinators.port"),
    ),
    Api.DESCRIBE_CLUSTER: (_Carrier(0, "brokers.broker_id", "brokers.host", "brokers.port"),),
    Api.DESCRIBE_QUORUM: (_Carrier(2, "nodes.node_id", "nodes.listeners.host", "nodes.listeners.port"),),
    Api.PRODUCE: (_Carrier(10, *_ENDPOINTS),),
    Api.FETCH: (_Carrier(16, *_ENDPOINTS),),
    Api.SHARE_FETCH: (_Carrier(0, *_ENDPOINTS),),
    Api.SHARE_ACKNOWLEDGE: (_Carrier(0, *_ENDPOINTS),),
}

_TAG_HEAD = 7
"""Among the fields of a walk: the tagged field that holds the nodes, where one does."""

_CONTROLLERS = 2
"""DescribeCluster's endpoint type for controllers, which are not reached through the gateway."""


@dataclass(frozen=True)
class Rewritten:
    edits: list[Edit]
    news: bool
    """Some node was not known, or known elsewhere: its door has to be open before the client reads this answer."""


_NO_NODES = Rewritten([], news=False)


@lru_cache(maxsize=KINDS)
def carries_addresses(api_key: int, api_version: int) -> bool:
    """Return whether answers of this kind may name nodes."""
    return _carrier(api_key, api_version) is not None


def rewrite(
    api_key: int,
    api_version: int,
    body: Buffer,
    start: int,
    end: int,
    knowledge: Knowledge,
    advertise: Advertise,
) -> Rewritten:
    """Find the nodes in `body[start:end]`, learn them, and return the edits that put the gateway's addresses in their
    place.

    Also learns the cluster's id and topic ids from Metadata. Raises Malformed.
    """
    walk, names_topics = _walk(api_key, api_version)
    places = walk.places(body, start, end)
    if not places:
        return _NO_NODES  # as in every answer to Produce and Fetch without a change of leader
    compact = response_header_version(api_key, api_version) == 1
    edits: list[Edit] = []
    nodes: list[Node] = []
    node_id, host, topic = -1, "", ""
    host_place: tuple[int, int] = (0, 0)
    for field, first, last in places:
        if field == 0:
            node_id = int_at(body, first, last)
        elif field == 1:
            host, host_place = string_at(body, first, last, compact=compact), (first, last)
        elif field == 2:
            if host == "" or (node_id < 0 and api_key != Api.DESCRIBE_QUORUM):
                continue  # no node is named: FindCoordinator without a coordinator
            if api_key != Api.DESCRIBE_QUORUM:
                nodes.append(Node(node_id, host, int_at(body, first, last)))
            new_host, new_port = advertise(
                node_id if api_key != Api.DESCRIBE_QUORUM or node_id in knowledge.nodes else None
            )
            edits.append(Edit(*host_place, encoded_string(new_host, compact=compact)))
            edits.append(Edit(first, last, new_port.to_bytes(last - first, "big")))
        elif names_topics and field == 3:
            topic = string_at(body, first, last, compact=compact)
        elif names_topics and field == 4:
            knowledge.learn_topic(bytes(body[first:last]), topic)
        elif field == 5 and last > first:
            knowledge.cluster_id = string_at(body, first, last, compact=compact) or knowledge.cluster_id
        elif field == 6 and int_at(body, first, last) == _CONTROLLERS:
            return Rewritten([], news=False)
    return Rewritten(_resized(body, places, edits), knowledge.learn_nodes(nodes))


def _resized(body: Buffer, places: list[Place], edits: list[Edit]) -> list[Edit]:
    """Return the edits with one more where they stand in a tagged field: its head says how long it is.

    Raises Malformed where they do not stand within what it says.
    """
    for field, first, last in places:
        if field == _TAG_HEAD and edits:
            tag, size, behind = tag_head(body, first, last)
            if edits[0].start < behind or edits[-1].end > behind + size:
                raise Malformed(f"expected node endpoints within the {size} bytes of their tagged field, found more")
            growth = sum(len(edit.content) - (edit.end - edit.start) for edit in edits)
            return [Edit(first, last, varint(tag) + varint(size + growth)), *edits]
    return edits


@lru_cache(maxsize=KINDS)
def _carrier(api_key: int, api_version: int) -> _Carrier | None:
    for each in CARRIERS.get(api_key, ()):
        if each.since <= api_version <= each.until:
            return each
    return None


@cache
def _walk(api_key: int, api_version: int) -> tuple[Walk, bool]:
    carrier = _carrier(api_key, api_version)
    if carrier is None or not understood(api_key, api_version):
        raise Malformed(f"no layout for the nodes in answers of API {api_key} version {api_version}")
    metadata = api_key == Api.METADATA
    topics = ("topics.name", "topics.topic_id") if metadata else ("-", "-")
    cluster = "cluster_id" if metadata else "-"
    kind = "endpoint_type" if api_key == Api.DESCRIBE_CLUSTER else "-"
    return walk_of(
        api_key,
        api_version,
        "response",
        (carrier.node_id, carrier.host, carrier.port, *topics, cluster, kind, "node_endpoints"),
    ), metadata
