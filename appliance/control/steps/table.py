"""The steps in their order. A row more is a step more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from appliance.control.steps.draining import drain
from appliance.control.steps.fencing import hold_writes, let_writes_flow
from appliance.control.steps.groups import sync_groups
from appliance.control.steps.looking import look
from appliance.control.steps.run import Run
from appliance.control.steps.switching import move, switch, verify
from appliance.control.steps.taking import take_positions
from appliance.control.steps.transactions import finish_transactions
from appliance.control.switchover import Mode, State

BOTH: frozenset[Mode] = frozenset({"planned", "unplanned"})
PLANNED: frozenset[Mode] = frozenset({"planned"})


@dataclass(frozen=True)
class Step:
    """A state, what is done in it, and when there is such a step at all."""

    state: State
    act: Callable[[Run], Awaitable[None]]
    modes: frozenset[Mode] = BOTH
    trouble: str = "{state}: {reason}"
    """What to tell when it fails behind the point of no return; also knows {source}, {target}, {whom} as the command
    line says it."""


BEFORE_THE_SWITCH = (
    Step("preflight", look),
    Step("transactions", finish_transactions, PLANNED),
    Step("fence", hold_writes, PLANNED),
    Step("drain", drain, PLANNED),
    Step("groups", sync_groups, PLANNED),
    Step("positions", take_positions),
)
SWITCH = Step("switch", switch)
AFTER_THE_SWITCH = (
    Step("move", move, trouble="clients were not all moved ({reason}): restart those on the old cluster"),
    Step("unfence", let_writes_flow),
    Step(
        "verify",
        verify,
        trouble="{target} could not be verified ({reason}): mend it, or switch back with "
        "`tidegate switchover {whom} --to {source} --unplanned`",
    ),
)
