"""`tidegate apply`, `get` and `delete`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from appliance.cli.connection import DEFAULT_API, ApiOption, TokenFileOption, ask
from appliance.cli.endings import FAILED, BadInputError
from appliance.cli.kinds import plural_of
from appliance.cli.terminal import err, out, table
from appliance.remote.answers import FaultAnswer
from appliance.remote.client import ControlApi
from appliance.remote.errors import RefusedError
from appliance.resources.cluster import Cluster
from appliance.resources.documents import load_resources
from appliance.resources.failover_policy import FailoverPolicy
from appliance.resources.fault import Fault
from appliance.resources.kinds import Resource
from appliance.resources.listener import Listener
from appliance.resources.token_revocation import TokenRevocation
from appliance.resources.units import format_duration
from appliance.resources.user import User
from appliance.resources.virtual_cluster import VirtualCluster

_ORDER = ("User", "TokenRevocation", "Cluster", "VirtualCluster", "Listener", "FailoverPolicy", "Fault")
"""What is referred to comes before what refers to it."""


class Output(StrEnum):
    """How `get` writes."""

    TABLE = "table"
    YAML = "yaml"
    JSON = "json"


def apply(
    files: Annotated[
        list[Path],
        typer.Option(
            "--file", "-f", metavar="DIR|FILE|-", help="Resources to create or change; -: standard input; repeatable."
        ),
    ],
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Create or change resources; arm faults."""
    places = [Path("/dev/stdin") if each == Path("-") else each for each in files]
    for each in places:
        if not each.exists():
            raise BadInputError(f"-f {each}: there is no such file or folder")
    resources = sorted(load_resources(*places), key=lambda each: (_ORDER.index(each.kind), each.name))

    async def put_all(connection: ControlApi) -> int:
        refused = 0
        for resource in resources:
            try:
                applied = await connection.put(resource)
            except RefusedError as error:
                refused += 1
                err().print(f"{resource.kind} {resource.name}: refused: {error}")
                continue
            out().print(f"{resource.kind} {resource.name}: {applied.outcome}{_lease_note(resource)}")
        return refused

    if ask(api, token_file, put_all):
        raise typer.Exit(FAILED)


def get(
    kind: Annotated[
        str,
        typer.Argument(
            help="clusters, listeners, virtualclusters, users, tokenrevocations, failoverpolicies or faults."
        ),
    ],
    name: Annotated[str | None, typer.Argument(help="One of them; all where absent.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to write them.")] = Output.TABLE,
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Show resources."""
    plural = plural_of(kind)

    async def fetch(connection: ControlApi) -> Sequence[Resource | FaultAnswer]:
        if name is not None:
            return [await connection.get(plural, name)]
        return await connection.list(plural)

    found = ask(api, token_file, fetch)
    plain = [_document(each) for each in found]
    if output is Output.JSON:
        out().print(json.dumps(plain[0] if name is not None else plain, indent=2))
    elif output is Output.YAML:
        out().print(yaml.safe_dump_all(plain, sort_keys=False).rstrip())
    elif found:
        _print_table(found)
    else:
        err().print(f"there are no {plural}")


def delete(
    kind: Annotated[
        str,
        typer.Argument(help="cluster, listener, virtualcluster, user, tokenrevocation, failoverpolicy or fault."),
    ],
    name: Annotated[str | None, typer.Argument(help="Which one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Only for faults: end all of them at once.")] = False,
    api: ApiOption = DEFAULT_API,
    token_file: TokenFileOption = None,
) -> None:
    """Delete a resource, end a fault."""
    plural = plural_of(kind)
    if every and plural == "faults" and name is None:
        ended = ask(api, token_file, lambda connection: connection.end_faults())
        out().print(f"{len(ended)} faults ended" + "".join(f"\n  {each.name}" for each in ended))
        return
    if every or name is None:
        raise BadInputError("say one name (--all is for faults only, and without a name)")
    ask(api, token_file, lambda connection: connection.delete(plural, name))
    out().print(f"{plural}/{name} {'ended' if plural == 'faults' else 'deleted'}")


def _document(resource: Resource | FaultAnswer) -> dict[str, Any]:
    """Return it as plain data, in the order in which people write it."""
    plain = resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {key: plain[key] for key in ("apiVersion", "kind", "metadata", "spec", "status") if key in plain}


def _lease_note(resource: Resource) -> str:
    if not isinstance(resource, Fault):
        return ""
    lease, duration = format_duration(resource.spec.lease), format_duration(resource.spec.duration)
    return f" (lasts {duration}; lapses {lease} after it was last applied)"


def _print_table(found: Sequence[Resource | FaultAnswer]) -> None:
    rows = [_row(each) for each in found]
    made = table(*rows[0])
    for row in rows:
        made.add_row(*row.values())
    out().print(made)


def _row(resource: Resource | FaultAnswer) -> dict[str, str]:
    match resource:
        case Cluster(spec=spec):
            return {"NAME": resource.name, "BOOTSTRAP": ",".join(spec.bootstrap)}
        case Listener(spec=spec):
            return {"NAME": resource.name, "BIND": spec.bind, "VIRTUAL CLUSTER": spec.virtual_cluster}
        case VirtualCluster(spec=spec):
            standbys = ",".join(spec.standbys) or "-"
            return {
                "NAME": resource.name,
                "CLUSTER": spec.cluster,
                "STANDBYS": standbys,
                "REPLICATION": spec.replication,
            }
        case FailoverPolicy(spec=policy):
            return {
                "NAME": resource.name,
                "CLUSTER": policy.cluster,
                "TO": ",".join(policy.to),
                "ACTION": policy.action,
                "RPO": format_duration(policy.rpo),
                "HOLD DOWN": format_duration(policy.hold_down),
            }
        case User(spec=spec):
            return {
                "NAME": resource.name,
                "USERNAME": resource.username,
                "ENABLED": "yes" if spec.enabled else "no",
                "MECHANISMS": ",".join((*sorted(spec.scram), *(["PLAIN"] if spec.scram or spec.scrypt else []))) or "-",
                "GROUPS": ",".join(spec.groups) or "-",
            }
        case TokenRevocation(spec=spec):
            return {
                "NAME": resource.name,
                "JTI": spec.jti or "-",
                "SUBJECT": spec.subject or "-",
                "ISSUED BEFORE": spec.issued_before.isoformat() if spec.issued_before else "-",
                "ISSUER": spec.issuer or "any",
            }
        case FaultAnswer(spec=fault, status=status):
            return {
                "NAME": resource.name,
                "TYPE": fault.type,
                "VIRTUAL CLUSTER": fault.virtual_cluster,
                "STATE": status.state,
                "MATCHED": str(status.matched),
                "FIRED": str(status.fired),
                "CLIENTS": str(len(status.clients)),
            }
        case _:
            return {"NAME": resource.name}
