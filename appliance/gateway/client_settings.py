"""What is configured on a cluster, as far as two clusters must agree in it: topics' settings and ACLs."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from kio.schema.errors import ErrorCode

from appliance.gateway.client_asking import Asking
from appliance.wire.apis import Api
from appliance.wire.codec import element_type, request_type

_TOPIC = 2
_ANY = 1
"""AclOperation, PatternType, ResourceType and AclPermissionType all call 1 ANY."""
_AT_ONCE = 500
"""Topics in one question."""

_RESOURCES = {2: "topic", 3: "group", 4: "cluster", 5: "transactional id", 6: "delegation token", 7: "user"}
_OPERATIONS = {
    2: "ALL",
    3: "READ",
    4: "WRITE",
    5: "CREATE",
    6: "DELETE",
    7: "ALTER",
    8: "DESCRIBE",
    9: "CLUSTER_ACTION",
    10: "DESCRIBE_CONFIGS",
    11: "ALTER_CONFIGS",
    12: "IDEMPOTENT_WRITE",
    13: "CREATE_TOKENS",
    14: "DESCRIBE_TOKENS",
    15: "TWO_PHASE_COMMIT",
}
_PERMISSIONS = {2: "DENY", 3: "ALLOW"}
_PREFIXED = 4


class AclEntry(NamedTuple):
    """One ACL in Kafka's words."""

    resource: str
    """`topic orders`, `group app-*` for a prefix."""
    principal: str
    host: str
    operation: str
    permission: str

    def __str__(self) -> str:
        host = "" if self.host == "*" else f" from {self.host}"
        return f"{self.permission} {self.principal} {self.operation} on {self.resource}{host}"


async def topic_configs(asking: Asking, topics: Collection[str], names: Collection[str]) -> dict[str, dict[str, str]]:
    """Return these settings of these topics, as in force: what is not set has the broker's default."""
    found: dict[str, dict[str, str]] = {}
    ordered = sorted(topics)
    for first in range(0, len(ordered), _AT_ONCE):
        some = ordered[first : first + _AT_ONCE]

        def question(version: int, some: list[str] = some) -> object:
            kind = request_type(Api.DESCRIBE_CONFIGS, version)
            resource = element_type(kind, "resources")
            asked = tuple(
                resource(resource_type=_TOPIC, resource_name=name, configuration_keys=tuple(names)) for name in some
            )
            return kind(resources=asked)

        answer = await asking.ask_any(Api.DESCRIBE_CONFIGS, question)
        for result in answer.results:
            asking.check(result.error_code, f"DescribeConfigs of topic {result.resource_name}")
            found[result.resource_name] = {each.name: each.value for each in result.configs if each.value is not None}
    return found


async def acls(asking: Asking) -> frozenset[AclEntry] | None:
    """Return all ACLs; None where the cluster has no authorizer (SECURITY_DISABLED)."""
    answer = await asking.ask_any(
        Api.DESCRIBE_ACLS,
        lambda version: request_type(Api.DESCRIBE_ACLS, version)(
            resource_type_filter=_ANY,
            resource_name_filter=None,
            pattern_type_filter=_ANY,
            principal_filter=None,
            host_filter=None,
            operation=_ANY,
            permission_type=_ANY,
        ),
    )
    if answer.error_code is ErrorCode.security_disabled:
        return None
    asking.check(answer.error_code, "DescribeAcls")
    return frozenset(
        AclEntry(
            _resource(resource.resource_type, resource.resource_name, resource.pattern_type),
            acl.principal,
            acl.host,
            _OPERATIONS.get(acl.operation, str(acl.operation)),
            _PERMISSIONS.get(acl.permission_type, str(acl.permission_type)),
        )
        for resource in answer.resources
        for acl in resource.acls
    )


def _resource(kind: int, name: str, pattern: int) -> str:
    return f"{_RESOURCES.get(kind, f'resource {kind}')} {name}" + ("*" if pattern == _PREFIXED else "")
