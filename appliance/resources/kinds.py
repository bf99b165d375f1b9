"""All kinds that a user can declare, as one union."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from appliance.resources.cluster import Cluster
from appliance.resources.failover_policy import FailoverPolicy
from appliance.resources.fault import Fault
from appliance.resources.listener import Listener
from appliance.resources.token_revocation import TokenRevocation
from appliance.resources.user import User
from appliance.resources.virtual_cluster import VirtualCluster

Resource = Annotated[
    Cluster | Listener | VirtualCluster | User | TokenRevocation | FailoverPolicy | Fault, Field(discriminator="kind")
]

PLURALS: dict[str, str] = {
    "clusters": "Cluster",
    "listeners": "Listener",
    "virtualclusters": "VirtualCluster",
    "users": "User",
    "tokenrevocations": "TokenRevocation",
    "failoverpolicies": "FailoverPolicy",
    "faults": "Fault",
}
"""The word in a URL or on the command line -> the kind."""
