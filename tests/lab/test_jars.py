"""Jars: taken from where they are, checked against the lock, refused where they differ."""

import hashlib
from pathlib import Path

import pytest

from appliance.lab import JarDiffers, JarsUnavailable, LabError, jars
from appliance.lab.jarlock import COORDINATES, LOCK_PATH, JarLock, read_lock
from appliance.lab.jars import obtain_jars

CONTENT = {"one": b"first jar", "two": b"second jar"}


@pytest.fixture
def lock(tmp_path: Path) -> JarLock:
    lines = [f"org.x:{name}:1.0 sha256:{hashlib.sha256(c).hexdigest()} {len(c)}" for name, c in CONTENT.items()]
    path = tmp_path / "small.lock"
    path.write_text("\n".join(["# a comment", *lines]))
    return read_lock(path)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty home on a machine that reaches no repository; the folder is the user's Maven repository."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    return tmp_path / "m2"


def put(lock: JarLock, repository: Path, **other: bytes) -> None:
    for jar in lock.jars:
        path = repository / jar.repository_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(other.get(jar.artifact, CONTENT[jar.artifact]))


def told(lock: JarLock, cache: Path) -> list[str]:
    """Obtain the jars and return what was said meanwhile."""
    said: list[str] = []
    found = obtain_jars(lock, said.append, cache)
    assert [path.read_bytes() for path in found] == list(CONTENT.values())
    return said


def test_the_committed_lock_names_every_coordinate():
    lock = read_lock(LOCK_PATH)
    names = {jar.coordinate for jar in lock.jars}
    assert names.issuperset(COORDINATES)
    assert len({jar.filename for jar in lock.jars}) == len(lock.jars)
    assert all(len(jar.sha256) == 64 for jar in lock.jars)


def test_a_line_that_is_none_is_named(tmp_path):
    path = tmp_path / "broken.lock"
    path.write_text("# comment\norg.x:one sha256:00 12\n")
    with pytest.raises(LabError, match=r"broken\.lock:2: expected `group:artifact:version"):
        read_lock(path)


def test_jars_of_the_users_repository_are_taken_without_a_network(lock, offline, tmp_path):
    put(lock, offline)
    assert told(lock, tmp_path / "cache") == []


def test_the_stamp_spares_hashing(lock, offline, tmp_path, monkeypatch):
    put(lock, offline)
    told(lock, tmp_path / "cache")
    monkeypatch.setattr(jars, "sha256_of", lambda _: pytest.fail("hashed again"))
    assert told(lock, tmp_path / "cache") == []


def test_a_jar_lost_from_the_cache_comes_back(lock, offline, tmp_path):
    put(lock, offline)
    first, _ = obtain_jars(lock, print, tmp_path / "cache")
    first.write_bytes(b"cut")
    told(lock, tmp_path / "cache")


@pytest.mark.usefixtures("offline")
def test_no_repository_is_one_clear_line(lock, tmp_path):
    with pytest.raises(JarsUnavailable, match=r"expected org\.x:\w+:1\.0 from https://.*; found: .*refused") as caught:
        obtain_jars(lock, print, tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_a_damaged_jar_in_the_users_repository_is_not_taken(lock, offline, tmp_path):
    put(lock, offline, two=b"second JAR")
    with pytest.raises(JarsUnavailable, match=r"org\.x:two"):
        obtain_jars(lock, print, tmp_path / "cache")


def test_a_repository_that_serves_another_jar_is_refused_and_nothing_of_it_kept(
    lock: JarLock, offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    put(lock, offline, two=b"not it")

    def serve(*_: object) -> Path:
        arrived = tmp_path / "arrived"
        arrived.write_bytes(b"evil bytes")
        return arrived

    monkeypatch.setattr(jars._Repositories, "_download", serve)
    with pytest.raises(JarDiffers, match=r"org\.x:two:1\.0: expected the jar with SHA-256 \w+ .* found \w+"):
        obtain_jars(lock, print, tmp_path / "cache")
    kept = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert kept == {"one-1.0.jar", "lock"}
