"""What every kind shares: the envelope, names, addresses, and that a spec is closed and immutable.

    apiVersion: tidegate/v1
    kind: VirtualCluster
    metadata: {name: orders}
    spec: {cluster: primary, standbys: [standby]}

Unknown keys are errors everywhere; durations, sizes and rates carry their unit. Cross references (a virtual
cluster that names a cluster) are checked by `control` when a set of resources becomes a snapshot.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

API_VERSION = "tidegate/v1"

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
"""A resource's name: lower case letters, digits and dashes, at most 63, as in DNS labels."""

_HOST_PORT = re.compile(r"(?:\[(?P<ipv6>[^\[\]\s]+)\]|(?P<host>[^\[\]:\s]+)):(?P<port>[0-9]{1,5})")


def parse_address(text: str) -> tuple[str, int]:
    """Split `HOST:PORT` (IPv6 in brackets). Raises ValueError with what was expected."""
    match = _HOST_PORT.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise ValueError(f"expected HOST:PORT, such as broker-1.example:9092; found {text!r}")
    return match["ipv6"] or match["host"], int(match["port"])


def _address(text: str) -> str:
    parse_address(text)
    return text


Address = Annotated[str, AfterValidator(_address), Field(examples=["127.0.0.1:9092"])]


class Spec(BaseModel):
    """A part of what a user declares: closed (unknown keys are errors) and immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Metadata(Spec):
    name: Name


class DeclaredResource(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    api_version: Literal["tidegate/v1"] = Field(default="tidegate/v1", alias="apiVersion")
    metadata: Metadata

    @property
    def name(self) -> str:
        """Return the name from the metadata."""
        return self.metadata.name
