"""Transactions come to their end before writes are held: within a fence they could neither commit nor abort."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import trio

from appliance.control.steps.run import Run
from appliance.gateway.client import OpenTransaction
from appliance.gateway.errors import ClusterUnreachable
from appliance.policies.connect.fence import Fence

log = logging.getLogger("tidegate.control")

EVERY = 0.05
ABORT_SECONDS = 10.0
"""How long a coordinator may take to abort what it was told to."""


async def finish_transactions(run: Run) -> None:
    """Let open transactions end, none begin; abort those that take too long."""
    if not run.found.transactions_known:
        run.switchover.say("transactions could not be asked for: those that are open are lost")
        return
    left = await run.both[0].open_transactions()
    if not left:
        run.switchover.say("none is open")
        return
    await _rouse_coordinators(run, left[0].transactional_id)
    await settle(run, left)


async def _rouse_coordinators(run: Run, transactional_id: str) -> None:
    """Have the target ready for transactions before their producers come to it.

    Kafka makes its topic for them (`__transaction_state`) when it is first asked for a coordinator; a standby that has
    never served would do so with all of them waiting. Any id will do: the topic is made as a whole.
    """
    run.switchover.say(f"asking {run.target.name} for a transaction coordinator")
    try:
        await run.both[1].coordinator("transaction", transactional_id)
    except ClusterUnreachable as error:
        log.warning("switchover of %s: producers will have to wait: %s", run.switchover.in_words, error)


async def settle(run: Run, left: Sequence[OpenTransaction]) -> None:
    """Bring these transactions to their end; nothing is open when this returns, unless it was to be left so."""
    switchover, source = run.switchover, run.both[0]
    first, passing = len(left), frozenset[str]()
    with trio.move_on_after(switchover.order.finish_transactions):
        while left:
            ids = frozenset(each.transactional_id for each in left)
            if not ids <= passing:
                # Nobody is shut out again: a producer may have begun another transaction before its end was seen, and
                # the data path knows best who has ended.
                passing |= ids
                run.set_fence(Fence("ending", passing))
                await run.in_effect()
            switchover.say(f"{len(left)} open")
            await trio.sleep(EVERY)
            left = await source.open_transactions()
    if left and switchover.order.leave_transactions:
        switchover.say(f"{first} were open, {len(left)} still are and are left so: whoever moves loses them")
        return
    if left:
        left = await _abort(run, left)
    aborted = f", {len(switchover.aborted)} aborted" if switchover.aborted else ""
    switchover.say(f"{first} were open: all have ended{aborted}")


async def _abort(run: Run, left: Sequence[OpenTransaction]) -> Sequence[OpenTransaction]:
    source, switchover = run.both[0], run.switchover
    run.set_fence(Fence("ending"))  # nothing may go on with what is being aborted
    with trio.fail_after(ABORT_SECONDS):
        while left:
            for each in left:
                if each.state == "Ongoing" and each.transactional_id not in switchover.aborted:
                    await source.fence_transactional_id(each.transactional_id)
                    switchover.aborted.append(each.transactional_id)
            switchover.say(f"{len(left)} took too long and are being aborted")
            await trio.sleep(EVERY)
            left = await source.open_transactions()
    return left
