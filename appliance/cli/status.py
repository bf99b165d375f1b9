"""`tidegate status`: the whole gateway at a glance."""

from __future__ import annotations

from rich.table import Table

from appliance.cli.connection import DEFAULT_API, ApiOption, TokenFileOption, ask
from appliance.cli.terminal import err, out, table
from appliance.remote.answers import StatusAnswer, WorkerStatus

_WRITES = {"open": "flow", "ending": "flow, transactions end", "held": "held", "refused": "refused"}


def status(api: ApiOption = DEFAULT_API, token_file: TokenFileOption = None) -> None:
    """Show who serves, who is connected, what is wrong."""
    _print(ask(api, token_file, lambda connection: connection.status()))


def _print(answer: StatusAnswer) -> None:
    newest = "" if answer.snapshot == answer.published else f" ({answer.published} is on its way)"
    out().print(f"tidegate {answer.version}, snapshot {answer.snapshot}{newest}\n")
    _print_virtual_clusters(answer)
    _print_addresses(answer)
    if len(answer.workers) > 1:
        out().print(_workers(answer.workers))
    _print_faults(answer)
    _print_policies(answer)
    _print_held(answer)
    _print_remarks(answer)


def _print_virtual_clusters(answer: StatusAnswer) -> None:
    rows = table("VIRTUAL CLUSTER", "SERVED BY", "WRITES", "CONNECTIONS", "WRITES IN FLIGHT", "SWITCHOVER")
    for vc in answer.virtual_clusters:
        switchover = f"{vc.switchover_id} {vc.switchover}" if vc.switchover_id else "-"
        rows.add_row(vc.name, vc.serving, _WRITES[vc.fence], str(vc.connections), str(vc.writes_in_flight), switchover)
    out().print(rows)
    for vc in answer.virtual_clusters:
        if vc.switchover_detail:
            out().print(f"{vc.switchover_id} of {vc.name}: {vc.switchover_detail}")


def _print_addresses(answer: StatusAnswer) -> None:
    clusters = table("\nCLUSTER", "\nID", "\nBROKERS", "\nCONNECTIONS")
    for cluster in answer.clusters:
        brokers = ", ".join(f"{node_id} {address}" for node_id, address in cluster.brokers.items()) or "-"
        clusters.add_row(cluster.name, cluster.cluster_id or "-", brokers, str(cluster.connections))
    out().print(clusters)
    listeners = table("\nLISTENER", "\nVIRTUAL CLUSTER", "\nBOOTSTRAP")
    for listener in answer.listeners:
        listeners.add_row(listener.name, listener.virtual_cluster, listener.bootstrap)
    out().print(listeners)


def _print_faults(answer: StatusAnswer) -> None:
    if not answer.faults:
        return
    faults = table("\nFAULT", "\nTYPE", "\nVIRTUAL CLUSTER", "\nSTATE", "\nFIRED")
    for fault in answer.faults:
        faults.add_row(fault.name, fault.type, fault.virtual_cluster, fault.state, str(fault.fired))
    out().print(faults)


def _print_policies(answer: StatusAnswer) -> None:
    for policy in answer.policies:
        watched = table(f"\nPOLICY {policy.name}", "\nSTANDING", "\nMAY LACK", "\nLAST FAILURE")
        for each in policy.clusters:
            may_lack = "-" if each.exposure is None else f"{each.exposure:.0f}s"
            watched.add_row(each.name, each.standing, may_lack, each.failure or "-")
        out().print(watched)
        out().print(f"{policy.decision}: {policy.why}")


def _print_remarks(answer: StatusAnswer) -> None:
    for cluster in answer.clusters:
        if cluster.error:
            err().print(cluster.error)
    for listener in answer.listeners:
        for problem in listener.problems:
            err().print(f"listener {listener.name}: {problem}")


def _workers(workers: list[WorkerStatus]) -> Table:
    rows = table("\nWORKER", "\nPID", "\nSNAPSHOT", "\nCONNECTIONS", "\nUPTIME", "\nRESTARTS")
    for each in workers:
        pid = "dead" if each.pid is None else str(each.pid)
        snapshot = str(each.snapshot) if each.snapshot else "-"
        rows.add_row(str(each.number), pid, snapshot, str(each.connections), each.uptime, str(each.restarts))
    return rows


def _print_held(answer: StatusAnswer) -> None:
    held = [(vc.name, each) for vc in answer.virtual_clusters for each in vc.held]
    if held:
        waiting = table("\nCLIENT WHOSE FETCH IS HELD", "\nHOST", "\nVIRTUAL CLUSTER", "\nGROUPS", "\nSINCE")
        for name, each in held:
            groups = ", ".join(f"{group} ({members})" for group, members in each.groups.items())
            waiting.add_row(each.client_id, each.host, name, groups, f"{each.seconds:.1f}s")
        out().print(waiting)
