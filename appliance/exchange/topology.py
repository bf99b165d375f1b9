"""What has been learned of a real cluster: its id, which node is reached where, which topic has which id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

HostPort = tuple[str, int]


class Node(NamedTuple):
    node_id: int
    host: str
    port: int


class Knowledge:
    """Learned from answers that pass and from the gateway's own questions; shared by all connections to the cluster.

    A node that vanishes from Metadata is kept: its door stays open and connects to where it was last seen, as a client
    that still believes in the node would do without us.
    """

    def __init__(self, cluster: str) -> None:
        self.cluster = cluster
        self.cluster_id: str | None = None
        self._nodes: dict[int, HostPort] = {}
        self._topics: dict[bytes, str] = {}

    @property
    def nodes(self) -> Mapping[int, HostPort]:
        """Node id -> real address."""
        return self._nodes

    def learn_nodes(self, nodes: Iterable[Node]) -> bool:
        """Take note of where nodes are; return whether any of it was news."""
        news = {
            node.node_id: (node.host, node.port)
            for node in nodes
            if self._nodes.get(node.node_id) != (node.host, node.port)
        }
        self._nodes.update(news)
        return bool(news)

    def learn_topic(self, topic_id: bytes, name: str) -> None:
        """Take note of a topic's id (16 bytes); without a name, or without an id, there is no such topic."""
        if name and any(topic_id):
            self._topics[topic_id] = name

    def topic_name(self, topic_id: bytes) -> str | None:
        """Return the name of the topic with this id, None if it has not been seen yet."""
        return self._topics.get(topic_id)
