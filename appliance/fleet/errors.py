"""What can go wrong with workers."""

from appliance.gateway.errors import GatewayError


class WorkersFailError(GatewayError):
    """Workers end again and again: there is nobody to serve."""


class LinkBroken(GatewayError):
    """What came over a link is not what the other side sends."""
