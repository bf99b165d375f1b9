"""A lab for code that is not on trio: it runs in a thread with its own loop, behind plain calls."""

from __future__ import annotations

import threading  # noqa: TID251  # a session's lab outlives each test's own trio.run, so it needs a loop of its own
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import trio

from appliance.lab import Broker, Choice, Cluster, Kind, Lab, LabPlan, open_lab

_T = TypeVar("_T")


class BlockingCluster:
    """`appliance.lab.Cluster` with blocking calls; its docstrings hold here too.

    From a trio test call through a thread, or the test's loop stands still:
    `await trio.to_thread.run_sync(kafka.kill, 2)`.
    """

    def __init__(self, cluster: Cluster, lab: BlockingLab) -> None:
        self._cluster = cluster
        self._lab = lab
        self.name = cluster.name
        self.bootstrap = cluster.bootstrap

    @property
    def bootstrap_servers(self) -> str:
        """`bootstrap` as clients take it: one string, comma-separated."""
        return ",".join(self.bootstrap)

    @property
    def brokers(self) -> Mapping[int, Broker]:
        """Node id -> the broker as it is now."""
        return self._cluster.brokers

    def kill(self, node_id: int | None = None) -> None:
        """End at once."""
        self._lab.call(partial(self._cluster.kill, node_id))

    def stop(self, node_id: int | None = None) -> None:
        """End gracefully."""
        self._lab.call(partial(self._cluster.stop, node_id))

    def pause(self, node_id: int | None = None) -> None:
        """Freeze."""
        self._lab.call(partial(self._cluster.pause, node_id))

    def resume(self, node_id: int | None = None) -> None:
        """Go on from a pause."""
        self._lab.call(partial(self._cluster.resume, node_id))

    def start(self, node_id: int | None = None) -> None:
        """Start what is stopped and wait until it serves."""
        self._lab.call(partial(self._cluster.start, node_id))

    def create_topic(
        self,
        name: str,
        partitions: int = 1,
        configs: Mapping[str, str] | None = None,
        *,
        replication_factor: int | None = None,
        log_start_offset: int = 0,
    ) -> None:
        """Create a topic and wait until all partitions have leaders."""
        self._lab.call(
            partial(
                self._cluster.create_topic,
                name,
                partitions,
                configs,
                replication_factor=replication_factor,
                log_start_offset=log_start_offset,
            )
        )


class BlockingLab:
    """`appliance.lab.open_lab` as a plain context manager. Entering raises LabError as `open_lab` does."""

    def __init__(
        self, plan: LabPlan, *, kind: Choice = "auto", directory: Path, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self._open = partial(open_lab, plan, kind=kind, directory=directory, progress=progress)
        self._opened: Future[tuple[Lab, trio.lowlevel.TrioToken, trio.CancelScope]] = Future()
        self._thread = threading.Thread(target=self._run, name="lab", daemon=True)  # daemon: the guardians clean up

    def __enter__(self) -> BlockingLab:
        self._thread.start()
        self._lab, self._token, self._scope = self._opened.result()
        self.clusters = {name: BlockingCluster(cluster, self) for name, cluster in self._lab.clusters.items()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._token.run_sync_soon(self._scope.cancel)
        self._thread.join()

    @property
    def kind(self) -> Kind:
        """What the lab is."""
        return self._lab.kind

    @property
    def note(self) -> str:
        """What a reader of a report must know."""
        return self._lab.note

    @property
    def versions(self) -> Mapping[str, str]:
        """Software -> version."""
        return self._lab.versions

    @property
    def replicating(self) -> bool:
        """Whether records are being copied now."""
        return self._lab.replicating

    def start_replication(self) -> None:
        """Start it; return when records come through."""
        self.call(self._lab.start_replication)

    def stop_replication(self, *, kill: bool = False) -> None:
        """End it gracefully, or at once."""
        self.call(partial(self._lab.stop_replication, kill=kill))

    def heal(self) -> None:
        """Undo what a test did: resume and start every broker, start replication. Costs nothing where all is well."""
        for cluster in self.clusters.values():
            states = {broker.state for broker in cluster.brokers.values()}
            if "paused" in states:
                cluster.resume()
            if "stopped" in states:
                cluster.start()
        if self._lab.replication is not None and not self.replicating:
            self.start_replication()

    def call(self, action: Callable[[], Awaitable[_T]]) -> _T:
        """Run an async function in the lab's loop and wait for it. Raises what it raises."""
        return trio.from_thread.run(action, trio_token=self._token)

    def _run(self) -> None:
        trio.run(self._serve)

    async def _serve(self) -> None:
        try:
            async with self._open() as lab:
                with trio.CancelScope() as scope:
                    self._opened.set_result((lab, trio.lowlevel.current_trio_token(), scope))
                    await trio.sleep_forever()
        except BaseException as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)  # to whoever enters the context
