"""What survives a restart: one JSON file in a directory of the gateway's own.

Rules, for the user's documentation:
 - the files given to `serve -f` are the declared truth at start;
 - a change made through the API is kept here together with a digest of what the files said then, and is made
   again at the next start. When the file has been edited since, the file is newer: it wins and the change is
   forgotten;
 - the cluster that serves a virtual cluster, once switched, is kept here and wins over `spec.cluster`; so are how
   often it was switched, the maps between its clusters' offsets and topic ids, and where logs ended at the last switch;
 - the topic ids of clusters that can be switched away from are kept here for the day when they are lost;
 - switchovers are kept here, the one under way and the last ones that are over; each state before it takes effect;
 - faults are never kept.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, ValidationError, model_validator

from appliance.control.catalogue import Catalogue, Declared, Identity, identity_of
from appliance.control.edition import PlainMaps
from appliance.control.errors import StateError
from appliance.control.references import members, problems
from appliance.control.switchover import KeptSwitchover
from appliance.policies.positions.offset_maps import PositionMaps
from appliance.policies.positions.way_back import read_topic_id

FILE = "state.json"
SWITCHOVERS_KEPT = 50


TopicId = Annotated[
    bytes,
    PlainValidator(lambda said: said if isinstance(said, bytes) else read_topic_id(said)),
    PlainSerializer(bytes.hex),
]
"""16 bytes; hexadecimal where it is written down."""


class Change(BaseModel):
    """A resource that the API put (or deleted, where `resource` is None)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    name: str
    declared: str | None
    """Digest of what the files said when the change was made; None: nothing."""
    resource: Annotated[Declared, Field(discriminator="kind")] | None


class Kept(BaseModel):
    """The content of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1, 2] = 2
    """1: without switchovers; it is read, and written as 2."""
    serving: dict[str, str] = Field(default_factory=dict)
    """Virtual cluster -> the cluster that it was switched to."""
    switches: dict[str, int] = Field(default_factory=dict)
    """Virtual cluster -> how often it was switched."""
    positions: dict[str, PlainMaps] = Field(default_factory=dict)
    """Virtual cluster -> how the offsets and topic ids of its clusters look to its clients."""
    topic_ids: dict[str, dict[str, TopicId]] = Field(default_factory=dict)
    """Cluster -> topic -> its id as it was last seen."""
    changes: list[Change] = Field(default_factory=list)
    switchovers: list[KeptSwitchover] = Field(default_factory=list)
    """By serial, the newest last."""

    @model_validator(mode="after")
    def _newest_format(self) -> Kept:
        return self if self.format == 2 else self.model_copy(update={"format": 2})

    def with_switchover(self, switchover: KeptSwitchover) -> Kept:
        """Return the same with this switchover as it stands now; the oldest of those that are over are forgotten."""
        others = [each for each in self.switchovers if each.serial != switchover.serial]
        kept = sorted([*others, switchover], key=lambda each: each.serial)
        over = [each.serial for each in kept if each.over]
        forgotten = set(over[: max(0, len(over) - SWITCHOVERS_KEPT)])
        return self.model_copy(update={"switchovers": [each for each in kept if each.serial not in forgotten]})

    def with_topic_ids(self, seen: Mapping[str, Mapping[str, bytes]]) -> Kept:
        """Return the same with these topic ids seen last, by cluster."""
        return self.model_copy(update={"topic_ids": {cluster: dict(ids) for cluster, ids in seen.items()}})

    def with_serving(self, virtual_cluster: str, cluster: str | None) -> Kept:
        """Return the same with another serving cluster; None: the one of its spec."""
        serving = {name: serves for name, serves in self.serving.items() if name != virtual_cluster}
        if cluster is not None:
            serving[virtual_cluster] = cluster
        return self.model_copy(update={"serving": serving})

    def with_switch(self, virtual_cluster: str, cluster: str | None, maps: PositionMaps) -> Kept:
        """Return the same after one more switch; `cluster` as in `with_serving`."""
        switches = {**self.switches, virtual_cluster: self.switches.get(virtual_cluster, 0) + 1}
        positions = {**self.positions, virtual_cluster: maps}
        changed = {"switches": switches, "positions": positions}
        return self.with_serving(virtual_cluster, cluster).model_copy(update=changed)

    def without_switches(self, virtual_cluster: str) -> Kept:
        """Return the same as if the virtual cluster had never been switched: it is deleted."""
        switches = {name: times for name, times in self.switches.items() if name != virtual_cluster}
        positions = {name: maps for name, maps in self.positions.items() if name != virtual_cluster}
        changed = {"switches": switches, "positions": positions}
        return self.with_serving(virtual_cluster, None).model_copy(update=changed)


def digest_of(resource: Declared | None) -> str | None:
    """Return a digest of a resource as declared."""
    if resource is None:
        return None
    text = json.dumps(resource.model_dump(mode="json", by_alias=True), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class StateDir:
    """The directory, held by this process alone. Raises StateError when it cannot be used."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"the state directory {path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StateError(
                f"another gateway uses the state directory {path}: give this one its own with --state"
            ) from error

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._lock)

    def load(self) -> Kept:
        """Read the file; an absent one is empty. Raises StateError when it is damaged."""
        file = self.path / FILE
        try:
            return Kept.model_validate_json(file.read_bytes())
        except FileNotFoundError:
            return Kept()
        except (OSError, ValidationError) as error:
            raise StateError(
                f"{file} cannot be read: {error}. It says which cluster serves; "
                "mend it, or move it away to start from the declared files alone"
            ) from error

    def save(self, kept: Kept) -> None:
        """Replace the file; it is on the disk when this returns. Raises StateError."""
        try:
            self.write(FILE, kept.model_dump_json(indent=1, by_alias=True) + "\n")
        except OSError as error:
            raise StateError(f"{self.path / FILE} cannot be written: {error.strerror}") from error

    def secret(self, name: str) -> bytes:
        """Return a random secret of this gateway's own, made when it is asked for first. Raises StateError."""
        file = self.path / name
        try:
            if not file.exists():
                self.write(name, os.urandom(32).hex() + "\n")
            return bytes.fromhex(file.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise StateError(f"{file} cannot be used: {error}; move it away, and a new one is made") from error

    def write(self, name: str, text: str) -> Path:
        """Write a file of mode 0600 atomically and durably. Raises OSError."""
        beside = self.path / f".{name}.new"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path / name)
        directory = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
        return self.path / name


def restore(declared: Iterable[Declared], kept: Kept) -> tuple[Catalogue, Kept, list[str]]:
    """Join the declared files and what was kept; return the catalogue, what is kept from now on, remarks for
    the log.

    Raises StateError when the kept changes do not fit the files any more.
    """
    files: Mapping[Identity, Declared] = Catalogue.of(declared).resources
    catalogue, changes, remarks = Catalogue(files), [], []
    for change in kept.changes:
        if digest_of(files.get((change.kind, change.name))) != change.declared:
            remarks.append(f"{change.kind} {change.name}: its file is newer than the change made through the API")
            continue
        changes.append(change)
        if change.resource is None:
            catalogue = catalogue.without(change.kind, change.name)
        else:
            catalogue = catalogue.with_resource(change.resource)
    wrong = problems(catalogue)
    if wrong and changes and not problems(Catalogue(files)):
        raise StateError("the files and the changes made through the API (kept in the state directory) clash", wrong)
    serving = {}
    for name, cluster in kept.serving.items():
        virtual_cluster = catalogue.virtual_clusters.get(name)
        if virtual_cluster is not None and cluster in members(virtual_cluster):
            serving[name] = cluster
        elif virtual_cluster is not None:
            remarks.append(
                f"VirtualCluster {name}: it was switched to {cluster}, which is not among its clusters any "
                f"more: {virtual_cluster.spec.cluster} serves"
            )
    known = catalogue.virtual_clusters
    kept_now = Kept(
        serving=serving,
        switches={name: times for name, times in kept.switches.items() if name in known},
        positions={name: maps for name, maps in kept.positions.items() if name in known},
        topic_ids={name: ids for name, ids in kept.topic_ids.items() if name in catalogue.clusters},
        changes=changes,
        switchovers=kept.switchovers,
    )
    return catalogue, kept_now, remarks


def with_change(kept: Kept, files: Mapping[Identity, Declared], identity: Identity, new: Declared | None) -> Kept:
    """Return what is to be kept after the API put a resource (or deleted it: None)."""
    others = [each for each in kept.changes if (each.kind, each.name) != identity]
    declared = files.get(identity)
    if declared == new:
        return kept.model_copy(update={"changes": others})
    assert new is None or identity_of(new) == identity
    change = Change(kind=identity[0], name=identity[1], declared=digest_of(declared), resource=new)
    return kept.model_copy(update={"changes": [*others, change]})
