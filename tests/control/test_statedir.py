"""What survives a restart, and who wins when the files say something else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.control.catalogue import Catalogue, Declared
from appliance.control.errors import StateError
from appliance.control.statedir import FILE, Kept, StateDir, restore, with_change
from tests.control.world import ORDERS, declared


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    opened = StateDir(tmp_path / "deep" / "state")
    yield opened
    opened.close()


def cluster(name: str, port: int) -> Declared:
    (made,) = declared(f'{{kind: Cluster, metadata: {{name: {name}}}, spec: {{bootstrap: ["10.0.0.9:{port}"]}}}}')
    return made


def test_what_is_saved_is_loaded_and_for_nobody_else_to_read(state: StateDir):
    kept = with_change(Kept(), {}, ("Cluster", "third"), cluster("third", 1)).with_serving("orders", "standby")
    state.save(kept)
    assert state.load() == kept
    assert (state.path / FILE).stat().st_mode & 0o777 == 0o600
    assert state.path.stat().st_mode & 0o777 == 0o700
    assert sorted(each.name for each in state.path.iterdir()) == ["lock", FILE]


def test_nothing_saved_is_nothing_kept(state: StateDir):
    assert state.load() == Kept()


@pytest.mark.parametrize("content", ["", "{", '{"format": 3}', '{"serving": 3}'])
def test_a_damaged_file_is_never_overlooked(state: StateDir, content: str):
    (state.path / FILE).write_text(content)
    with pytest.raises(StateError, match="mend it, or move it away"):
        state.load()


def test_one_gateway_per_directory(state: StateDir):
    with pytest.raises(StateError, match="another gateway uses the state directory"):
        StateDir(state.path)
    state.close()
    StateDir(state.path).close()
    state._lock = os.open(os.devnull, os.O_RDONLY)  # for the fixture's close


def test_a_place_that_cannot_be_a_directory(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be used: Not a directory"):
        StateDir(tmp_path / "file" / "below")


def test_changes_of_the_api_are_made_again():
    files = declared()
    by_identity = Catalogue.of(files).resources
    kept = with_change(Kept(), by_identity, ("Cluster", "standby"), cluster("standby", 1))
    kept = with_change(kept, by_identity, ("Cluster", "third"), cluster("third", 2))
    kept = with_change(kept, by_identity, ("Listener", "orders"), None)
    catalogue, again, remarks = restore(files, kept)
    assert catalogue.clusters["standby"] == cluster("standby", 1)
    assert catalogue.clusters["third"] == cluster("third", 2)
    assert catalogue.listeners == {}
    assert (again, remarks) == (kept, [])


def test_a_file_edited_since_is_newer():
    before = Catalogue.of(declared()).resources
    kept = with_change(Kept(), before, ("Cluster", "standby"), cluster("standby", 1))
    edited = declared(ORDERS.replace("10.0.0.3:9092", "10.0.0.4:9092"))
    catalogue, again, remarks = restore(edited, kept)
    assert catalogue.clusters["standby"].spec.bootstrap[1] == "10.0.0.4:9092"
    assert again.changes == []
    assert remarks == ["Cluster standby: its file is newer than the change made through the API"]


def test_a_change_back_to_the_file_is_no_change():
    files = Catalogue.of(declared()).resources
    kept = with_change(Kept(), files, ("Cluster", "standby"), cluster("standby", 1))
    assert with_change(kept, files, ("Cluster", "standby"), files["Cluster", "standby"]) == Kept()


def test_changes_that_do_not_fit_the_files_any_more_are_named():
    extra = "\n---\n{kind: VirtualCluster, metadata: {name: b}, spec: {cluster: third}}"
    files = declared(ORDERS + extra + '\n---\n{kind: Cluster, metadata: {name: third}, spec: {bootstrap: ["x:1"]}}')
    kept = with_change(Kept(), Catalogue.of(files).resources, ("Cluster", "third"), None)
    with pytest.raises(StateError, match=r"VirtualCluster b: spec\.cluster: there is no Cluster third"):
        restore(files, kept)


def test_who_serves_is_kept_while_it_may_serve():
    kept = Kept(serving={"orders": "standby", "gone": "x"})
    assert restore(declared(), kept)[1].serving == {"orders": "standby"}
    _, again, remarks = restore(declared(ORDERS.replace("standbys: [standby], ", "")), kept)
    assert again.serving == {}
    assert remarks == [
        "VirtualCluster orders: it was switched to standby, which is not among its clusters any more: primary serves"
    ]
