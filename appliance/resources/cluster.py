"""Cluster: a real Kafka cluster behind the gateway."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from appliance.resources.envelope import Address, DeclaredResource, Spec


class ClusterSpec(Spec):
    """One Kafka cluster behind the gateway."""

    bootstrap: list[Address] = Field(min_length=1)


class Cluster(DeclaredResource):
    kind: Literal["Cluster"] = "Cluster"
    spec: ClusterSpec
