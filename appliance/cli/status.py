"""`tidegate status`: the whole gateway at a glance."""

from __future__ import annotations

from rich.table import Table

from appliance.cli.connection import DEFAULT_API, ApiOption, TokenFileOption, ask
from appliance.cli.terminal import err, out, table
from appliance.remote.answers import StatusAnswer, WorkerStatus


def status(api: ApiOption = DEFAULT_API, token_file: TokenFileOption = None) -> None:
    """Show who serves, who is connected, what is wrong."""
    _print(ask(api, token_file, lambda connection: connection.status()))


def _print(answer: StatusAnswer) -> None:
    console = out()
    newest = "" if answer.snapshot == answer.published else f" ({answer.published} is on its way)"
    console.print(f"tidegate {answer.version}, snapshot {answer.snapshot}{newest}\n")
    virtual_clusters = table("VIRTUAL CLUSTER", "SERVED BY", "FENCED", "CONNECTIONS", "WRITES IN FLIGHT", "SWITCHOVER")
    for vc in answer.virtual_clusters:
        fenced = "yes" if vc.fenced else "no"
        virtual_clusters.add_row(
            vc.name, vc.serving, fenced, str(vc.connections), str(vc.writes_in_flight), vc.switchover or "-"
        )
    console.print(virtual_clusters)
    clusters = table("\nCLUSTER", "\nID", "\nBROKERS", "\nCONNECTIONS")
    for cluster in answer.clusters:
        brokers = ", ".join(f"{node_id} {address}" for node_id, address in cluster.brokers.items()) or "-"
        clusters.add_row(cluster.name, cluster.cluster_id or "-", brokers, str(cluster.connections))
    console.print(clusters)
    listeners = table("\nLISTENER", "\nVIRTUAL CLUSTER", "\nBOOTSTRAP")
    for listener in answer.listeners:
        listeners.add_row(listener.name, listener.virtual_cluster, listener.bootstrap)
    console.print(listeners)
    if len(answer.workers) > 1:
        console.print(_workers(answer.workers))
    if answer.faults:
        faults = table("\nFAULT", "\nTYPE", "\nVIRTUAL CLUSTER", "\nSTATE", "\nFIRED")
        for fault in answer.faults:
            faults.add_row(fault.name, fault.type, fault.virtual_cluster, fault.state, str(fault.fired))
        console.print(faults)
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
