"""The declared resources, as an immutable value. Faults are not among them: they are leases, not
declarations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from appliance.resources.cluster import Cluster
from appliance.resources.failover_policy import FailoverPolicy
from appliance.resources.listener import Listener
from appliance.resources.token_revocation import TokenRevocation
from appliance.resources.user import User
from appliance.resources.virtual_cluster import VirtualCluster

Declared = Cluster | Listener | VirtualCluster | User | TokenRevocation | FailoverPolicy
Identity = tuple[str, str]
"""Kind and name."""


def identity_of(resource: Declared) -> Identity:
    """Return kind and name."""
    return resource.kind, resource.name


@dataclass(frozen=True)
class Catalogue:
    """All declared resources; a change makes a new catalogue."""

    resources: Mapping[Identity, Declared]

    @classmethod
    def of(cls, resources: Iterable[Declared]) -> Catalogue:
        """Return a catalogue of these; of two with one identity the later one stays."""
        return cls(MappingProxyType({identity_of(each): each for each in resources}))

    def get(self, kind: str, name: str) -> Declared | None:
        """Return the resource, if there is one."""
        return self.resources.get((kind, name))

    def with_resource(self, resource: Declared) -> Catalogue:
        """Return a catalogue that has this resource in the place of its like."""
        return Catalogue(MappingProxyType({**self.resources, identity_of(resource): resource}))

    def without(self, kind: str, name: str) -> Catalogue:
        """Return a catalogue that lacks the resource."""
        left = {identity: each for identity, each in self.resources.items() if identity != (kind, name)}
        return Catalogue(MappingProxyType(left))

    @property
    def clusters(self) -> dict[str, Cluster]:
        """The clusters by name, sorted."""
        return {each.name: each for each in self._sorted() if isinstance(each, Cluster)}

    @property
    def listeners(self) -> dict[str, Listener]:
        """The listeners by name, sorted."""
        return {each.name: each for each in self._sorted() if isinstance(each, Listener)}

    @property
    def virtual_clusters(self) -> dict[str, VirtualCluster]:
        """The virtual clusters by name, sorted."""
        return {each.name: each for each in self._sorted() if isinstance(each, VirtualCluster)}

    @property
    def failover_policies(self) -> dict[str, FailoverPolicy]:
        """The failover policies by name, sorted."""
        return {each.name: each for each in self._sorted() if isinstance(each, FailoverPolicy)}

    @property
    def users(self) -> dict[str, User]:
        """The users by the resource's name, sorted."""
        return {each.name: each for each in self._sorted() if isinstance(each, User)}

    @property
    def token_revocations(self) -> dict[str, TokenRevocation]:
        """The token revocations by name, sorted."""
        return {each.name: each for each in self._sorted() if isinstance(each, TokenRevocation)}

    def _sorted(self) -> list[Declared]:
        return [self.resources[identity] for identity in sorted(self.resources)]
