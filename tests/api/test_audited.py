"""Whoever changes something leaves a line: who, what, and from which version to which."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.api.scene import TOKEN, scene
from tests.control.world import fault


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of what the audit trail has of control."""
    return [
        record.__dict__["fields"]
        for record in caplog.records
        if record.name == "tidegate.audit" and record.__dict__["event"] == "control"
    ]


@pytest.fixture(autouse=True)
def _everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


async def test_a_change(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        before = here.plane.version
        await here.http.put("/v1/faults/slow", json=fault().model_dump(mode="json", by_alias=True))
        after = here.plane.version
    (line,) = lines(caplog)
    assert line.pop("peer").startswith("127.0.0.1:")
    assert line == {
        "who": "api token", "what": "PUT /v1/faults/slow", "status": 201, "before": before, "after": after
    }  # fmt: skip
    assert after == before + 1


async def test_a_switchover_says_where_to(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        await here.http.post("/v1/virtualclusters/orders/switchover", json={"to": "standby", "dry_run": True})
    (line,) = lines(caplog)
    assert (line["to"], line["mode"], line["dry_run"], line["status"]) == ("standby", "planned", True, 202)


async def test_a_change_that_is_refused(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        await here.http.delete("/v1/clusters/primary")
    (line,) = lines(caplog)
    assert (line["status"], line["before"] == line["after"]) == (409, True)


async def test_reading_leaves_no_line(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        for path in ("/v1/status", "/v1/clusters", "/metrics", "/readyz"):
            assert (await here.http.get(path)).status_code == 200
    assert lines(caplog) == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_somebody_without_the_token_is_noted_and_what_was_sent_is_not(
    caplog: pytest.LogCaptureFixture, method: str
):
    async with scene() as here, here.stranger(authorization="Bearer guessed-this-one") as stranger:
        await stranger.request(method, "/v1/faults")
    (line,) = lines(caplog)
    assert (line["who"], line["what"], line["status"]) == ("nobody", f"{method} /v1/faults", 401)
    assert "guessed" not in caplog.text


async def test_a_path_cannot_forge_a_line(caplog: pytest.LogCaptureFixture):
    async with scene() as here:
        await here.http.delete("/v1/faults/a%0a2026-08-01%20INFO%20control")
    (record,) = (each for each in caplog.records if each.name == "tidegate.audit")
    assert "\n" not in record.getMessage()
    assert TOKEN not in caplog.text
