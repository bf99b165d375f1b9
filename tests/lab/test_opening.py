"""Which lab is opened, and what is said where one cannot be."""

import pytest

from appliance.lab import ClusterPlan, EngineUnavailable, JarDiffers, JarsUnavailable, LabPlan, open_lab, opening

PLAN = LabPlan((ClusterPlan("primary", brokers=3),))


def refuse(error: Exception):
    def obtain(*_: object) -> None:
        raise error

    return obtain


async def test_auto_falls_back_to_embedded_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "obtain_jars", refuse(JarsUnavailable("no network")))
    said: list[str] = []
    async with open_lab(PLAN, kind="auto", directory=tmp_path, progress=said.append) as lab:
        assert lab.kind == "embedded"
        assert lab.note.startswith(
            "fell back to embedded: the Kafka jars could not be had: no network. in-memory broker"
        )
    assert "falling back to the embedded broker: no network" in said


async def test_apache_without_jars_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "obtain_jars", refuse(JarsUnavailable("no network")))
    with pytest.raises(JarsUnavailable, match="no network"):
        async with open_lab(PLAN, kind="apache", directory=tmp_path):
            pass


async def test_auto_does_not_fall_back_from_a_jar_that_differs(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "obtain_jars", refuse(JarDiffers("look at it")))
    with pytest.raises(JarDiffers):
        async with open_lab(PLAN, kind="auto", directory=tmp_path):
            pass


async def test_docker_without_an_engine_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")  # docker's client leaks the socket of a unix:// that fails
    with pytest.raises(EngineUnavailable, match="expected a container engine") as caught:
        async with open_lab(PLAN, kind="docker", directory=tmp_path):
            pass
    assert "\n" not in str(caught.value)
