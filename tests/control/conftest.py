"""What the tests of control share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

from appliance.harness import BlockingLab, SharedLabs
from tests.control.switching_lab import PLAN, replicated_topic


@pytest.fixture(autouse=True)
def _the_disk_takes_no_virtual_time(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A virtual clock jumps while all wait for a thread, and with it every deadline would pass on a slow disk."""
    if "autojump_clock" not in request.fixturenames:
        return

    async def at_once(work: Callable[..., Any], *arguments: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return work(*arguments)

    monkeypatch.setattr(trio.to_thread, "run_sync", at_once)


@pytest.fixture(scope="module")
def lab(shared_labs: SharedLabs) -> BlockingLab:
    """Two real clusters with MirrorMaker between them."""
    return shared_labs.open(PLAN)


@pytest.fixture
def topic(lab: BlockingLab, fresh_name: str) -> Iterator[str]:
    """A topic on both of them."""
    with replicated_topic(lab, fresh_name) as name:
        yield name
