"""What can go wrong in the shell; every message names the address, and the cluster and node where there is one."""


class GatewayError(Exception):
    """The root: something that a user must hear of."""


class PortTaken(GatewayError):
    """A door cannot be opened."""


class ClusterUnreachable(GatewayError):
    """No node of a cluster answers."""


class TlsUnusable(GatewayError):
    """Certificate files that no TLS context can be made of."""


class SecretUnavailable(GatewayError):
    """A secret that cannot be read where it is said to lie. The message holds no secret."""


class SecretWithheld(SecretUnavailable):
    """A secret that its store answers for and does not give: deleted, or not for us (any more)."""


class NotLoggedIn(GatewayError):
    """A cluster that does not take what the gateway proves itself with, or nothing to prove it with."""
