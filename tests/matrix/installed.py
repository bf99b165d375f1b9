"""Clients that a test wants: installed, or the test is skipped and says what this machine lacks."""

from __future__ import annotations

import pytest
import trio

from tests.matrix.driver import Driver


async def installed(*drivers: Driver) -> None:
    """Install clients, which takes no time where that is done. Raises CannotPrepareError."""
    for driver in drivers:
        if missing := driver.needs():
            pytest.skip(missing)
        await trio.to_thread.run_sync(driver.prepare, lambda _: None)
