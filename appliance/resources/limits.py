"""What clients may ask of a listener."""

from __future__ import annotations

from pydantic import Field

from appliance.resources.envelope import Spec
from appliance.resources.units import Duration, Rate, Size


class LimitsSpec(Spec):
    """Limits of one listener; whoever goes over one has the connection closed, and the log and the metrics say which.

    With several workers each of them holds them for itself: divide them by the number (see `tidegate serve --workers`).
    """

    connections: int = Field(default=10_000, ge=1)
    """Connections at once."""
    connections_per_address: int | None = Field(default=None, ge=1)
    """Connections at once from one address."""
    connections_per_principal: int | None = Field(default=None, ge=1)
    """Connections at once of one principal."""
    connection_rate: Rate | None = None
    """New connections, over a second; more wait to be accepted."""
    unauthenticated: Duration = Field(default=10.0, gt=0, json_schema_extra={"default": "10s"})
    """How long a client may take until it is known: PROXY header, TLS handshake and SASL together."""
    idle: Duration | None = Field(default=None, gt=0)
    """How long a connection may carry nothing; where absent the broker's `connections.max.idle.ms` decides."""
    in_flight: int = Field(default=10_000, ge=1)
    """Requests without a response on one connection."""
    frame: Size = Field(default=104_857_600, ge=1, json_schema_extra={"default": "100MiB"})
    """Largest request, and largest response that is ever held whole in memory. Kafka's own default for
    `socket.request.max.bytes`."""
    buffered: Size = Field(default=1_073_741_824, ge=1, json_schema_extra={"default": "1GiB"})
    """Bytes that all connections together may hold of messages that are needed whole. When more are needed, the
    connection that has held its unfinished message longest is closed."""
    unfinished: Duration = Field(default=60.0, gt=0, json_schema_extra={"default": "1m"})
    """How long such a message may take to come."""
