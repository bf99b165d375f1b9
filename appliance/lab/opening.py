"""Open a lab: choose its kind, start clusters and replication, and end everything with the context."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal

import trio

from appliance.lab.backend import Backend
from appliance.lab.cluster import Cluster
from appliance.lab.errors import JarsUnavailable, LabError
from appliance.lab.jarlock import read_lock
from appliance.lab.jars import obtain_jars
from appliance.lab.lab import Lab
from appliance.lab.plans import ClusterPlan, LabPlan
from appliance.lab.ports import PortLeases
from appliance.lab.together import together

Choice = Literal["auto", "apache", "embedded", "docker"]
Progress = Callable[[str], None]

_CLUSTERS_AT_ONCE = 2
"""JVMs that start together share the machine's cores; more at once are not ready sooner."""


@asynccontextmanager
async def open_lab(
    plan: LabPlan,
    *,
    kind: Choice = "auto",
    directory: Path,
    progress: Progress = lambda _: None,
) -> AsyncIterator[Lab]:
    """Run the planned clusters, ready when the context is entered, gone when it is left; logs stay in `directory`.

    `auto` is `apache` where Kafka's jars can be had and `embedded` otherwise, which `lab.note` then says. No process
    outlives this one, even if it is killed. `progress` is told what is being waited for, from trio's thread.
    Raises LabError: JarsUnavailable, JarDiffers, EngineUnavailable, BrokerFailed.
    """
    directory = await _folder(directory)
    with PortLeases() as ports:
        backend, note = await _choose(kind, directory, ports, progress)
        clusters: dict[str, Cluster] = {}
        lab: Lab | None = None
        try:
            await _start_clusters(backend, plan, clusters, progress)
            # In the plan's order, not in that of becoming ready.
            ordered = {cluster.name: clusters[cluster.name] for cluster in plan.clusters}
            replication = backend.replication(plan.replication, ordered) if plan.replication else None
            lab = Lab(backend.kind, note, backend.versions, ordered, replication)
            if replication is not None and plan.replication is not None and plan.replication.at_once:
                progress("starting replication")
                await replication.start()
            yield lab
        finally:
            with trio.CancelScope(shield=True):
                await _end(backend, clusters, lab)


async def _folder(directory: Path) -> Path:
    absolute = await trio.Path(directory).absolute()
    try:
        await absolute.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(f"expected a folder for the lab's logs at {absolute}; found: {error}") from error
    return Path(absolute)


async def _choose(kind: Choice, directory: Path, ports: PortLeases, progress: Progress) -> tuple[Backend, str]:
    if kind in {"auto", "apache"}:
        try:
            backend = await _apache(directory, ports, progress)
        except JarsUnavailable as error:
            if kind == "apache":
                raise
            progress(f"falling back to the embedded broker: {error}")
            fallback = _embedded(directory, ports)
            return (
                fallback,
                f"fell back to embedded: the Kafka jars could not be had: {error}. {fallback.note}",
            )
        return backend, backend.note
    if kind == "embedded":
        backend = _embedded(directory, ports)
    else:
        from appliance.lab.docker import DockerBackend  # noqa: PLC0415  # see _apache

        backend = await DockerBackend.connect(directory, ports)
    return backend, backend.note


async def _apache(directory: Path, ports: PortLeases, progress: Progress) -> Backend:
    try:
        # Each kind's parts are an optional dependency (`tidegate[lab]`), wanted only where it is used.
        from appliance.lab.apache import ApacheBackend  # noqa: PLC0415
    except ImportError as error:
        raise JarsUnavailable(f"expected the lab's packages (pip install 'tidegate[lab]'); found: {error}") from error

    def tell(text: str) -> None:
        trio.from_thread.run_sync(progress, text)

    jars = await trio.to_thread.run_sync(obtain_jars, read_lock(), tell, abandon_on_cancel=True)
    return ApacheBackend(directory, ports, jars)


def _embedded(directory: Path, ports: PortLeases) -> Backend:
    from appliance.lab.embedded import EmbeddedBackend  # noqa: PLC0415  # see _apache

    return EmbeddedBackend(directory, ports)


async def _start_clusters(backend: Backend, plan: LabPlan, clusters: dict[str, Cluster], progress: Progress) -> None:
    slots = trio.CapacityLimiter(_CLUSTERS_AT_ONCE)

    async def start(one: ClusterPlan) -> None:
        async with slots:
            progress(f"starting cluster {one.name} ({backend.kind})")
            cluster = clusters[one.name] = await backend.prepare(one)
            await cluster.start()
            progress(f"cluster {one.name} is ready at {','.join(cluster.bootstrap)}")

    await together(partial(start, one) for one in plan.clusters)


async def _end(backend: Backend, clusters: dict[str, Cluster], lab: Lab | None) -> None:
    # Killed, not stopped: what they stored is thrown away next, and a user who leaves does not want to wait.
    if lab is not None and lab.replication is not None:
        await lab.replication.stop(kill=True)
    await together(cluster.kill for cluster in clusters.values())
    await backend.discard()
