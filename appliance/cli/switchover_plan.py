"""A switchover's plan on the terminal: what moves, what stands in the way, what to know."""

from __future__ import annotations

from appliance.cli.terminal import out, table
from appliance.remote.answers import SwitchoverPlan

_GROUPS_SHOWN = 30


def print_plan(plan: SwitchoverPlan) -> None:
    """Print all of a plan; findings that block come first."""
    console = out()
    lag = "not measured" if plan.lag is None else f"{plan.lag} records"
    console.print(
        f"plan: {plan.source} -> {plan.target}, {plan.topics} topics, {plan.partitions} partitions, "
        f"{plan.connections} connections to move, lag {lag}"
        + ("" if plan.hold is None else f", writes held for {plan.hold:.3g}s at the most")
    )
    if len(plan.parts) > 1:
        parts = table("\nVIRTUAL CLUSTER", "\nCONNECTIONS", "\nWRITES IN FLIGHT")
        for part in plan.parts:
            parts.add_row(part.virtual_cluster, str(part.connections), str(part.writes_in_flight))
        console.print(parts)
    _print_clients(plan)
    if plan.groups:
        groups = table("\nGROUP", "\nTYPE", "\nSTATE", "\nPARTITIONS", "\nLAG", "\nCLIENTS")
        for group in plan.groups[:_GROUPS_SHOWN]:
            clients = ", ".join(sorted(set(group.clients))) or "-"
            groups.add_row(group.name, group.type or "-", group.state, str(group.partitions), str(group.lag), clients)
        console.print(groups)
        if len(plan.groups) > _GROUPS_SHOWN:
            console.print(f"and {len(plan.groups) - _GROUPS_SHOWN} groups more")
    if plan.transactions:
        transactions = table("\nTRANSACTION", "\nSTATE", "\nSTARTED", "\nPARTITIONS")
        for each in plan.transactions:
            transactions.add_row(each.transactional_id, each.state, each.started or "-", str(each.partitions))
        console.print(transactions)
    if plan.findings:
        findings = table("\nSEVERITY", "\nSUBJECT", "\nEXPECTED", "\nFOUND", "\nWHAT TO DO")
        for finding in sorted(plan.findings, key=lambda each: each.severity):
            findings.add_row(finding.severity, finding.subject, finding.expected, finding.found, finding.remedy)
        console.print(findings)


def _print_clients(plan: SwitchoverPlan) -> None:
    clients = table("\nVIRTUAL CLUSTER", "\nSOFTWARE", "\nVERSION", "\nCONNECTIONS", "\nWAITS FOR A WRITE")
    for part in plan.parts:
        for each in part.clients:
            waits = "-" if each.timeout is None else f"{each.timeout:g}s"
            software = (each.software or "not told", each.version or "-")
            clients.add_row(part.virtual_cluster, *software, str(each.connections), waits)
    if clients.row_count:
        out().print(clients)
