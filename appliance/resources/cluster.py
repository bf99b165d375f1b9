"""Cluster: a real Kafka cluster behind the gateway."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from appliance.resources.cluster_security import ClusterAuthentication, ClusterTls
from appliance.resources.envelope import Address, DeclaredResource, Spec


class ClusterSpec(Spec):
    """One Kafka cluster behind the gateway."""

    bootstrap: list[Address] = Field(min_length=1)
    tls: ClusterTls | None = None
    authentication: ClusterAuthentication | None = None

    @model_validator(mode="after")
    def _not_overheard(self) -> Self:
        asked = self.authentication
        if asked is None or self.tls is not None or asked.allow_without_tls or asked.mechanism.startswith("SCRAM"):
            return self
        raise ValueError(
            f"authentication: {asked.mechanism} without tls lets others read what proves us: add tls, or say "
            "allow_without_tls: true"
        )


class Cluster(DeclaredResource):
    kind: Literal["Cluster"] = "Cluster"
    spec: ClusterSpec
