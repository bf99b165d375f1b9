"""What can go wrong in the shell; every message names the address, and the cluster and node where there is one."""


class GatewayError(Exception):
    """The root: something that a user must hear of."""


class PortTaken(GatewayError):
    """A door cannot be opened."""


class ClusterUnreachable(GatewayError):
    """No node of a cluster answers."""
