"""Carries out one switchover by the table of steps: writes each state down before it takes effect, and knows the way
back while there is one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AsyncExitStack
from types import MappingProxyType

import trio

from appliance.control.datapath import DataPath
from appliance.control.errors import ConflictError, StateError
from appliance.control.positions import PositionTaking
from appliance.control.replication import Gauge
from appliance.control.steps.fencing import refuse_when_due
from appliance.control.steps.run import NotDrainedError, Run, Signals
from appliance.control.steps.table import AFTER_THE_SWITCH, BEFORE_THE_SWITCH, SWITCH, Step
from appliance.control.switchover import State, Switchover
from appliance.exchange.route import Target
from appliance.gateway.errors import ClusterUnreachable
from appliance.policies.connect.fence import OPEN, Fence

log = logging.getLogger("tidegate.control")


class Conductor:
    """`run` never raises for what the clusters do: the record says how it ended."""

    def __init__(
        self,
        switchover: Switchover,
        source: Target,
        target: Target,
        *,
        signals: Signals,
        data_path: DataPath,
        gauge: Gauge | None,
        without: frozenset[str] = frozenset(),
        positions: Mapping[str, PositionTaking] = MappingProxyType({}),
    ) -> None:
        self.switchover = switchover
        self._signals = signals
        self._run = Run(switchover, source, target, signals, data_path, gauge, without, positions)
        self._take_back = trio.CancelScope()
        self._cancelled_by = ""
        self._go_on = trio.Event()

    @property
    def fence(self) -> Fence:
        """What becomes of writes now."""
        return self._run.fence

    async def run(self) -> None:
        """Carry it out, to one of the final states."""
        reason = await self._up_to_the_switch()
        if reason is None and not self.switchover.over:
            reason = await self._switch()
        if reason is not None:
            await self._roll_back(reason)
        elif not self.switchover.over:
            await self._after_the_switch(AFTER_THE_SWITCH)
        self._log_the_end()

    async def carry_on(self) -> None:
        """Carry on with what a dead gateway left behind the point of no return, to one of the final states."""
        at = self.switchover.resumed_at
        left = list(AFTER_THE_SWITCH)
        while left and at in {step.state for step in left[1:]}:
            left.pop(0)
        await self._after_the_switch(tuple(left))
        self._log_the_end()

    def cancel(self, by: str) -> None:
        """Take it back. Raises ConflictError behind the point of no return."""
        if not self.switchover.can_be_taken_back:
            raise ConflictError(
                f"the switchover of {self.switchover.in_words} cannot be cancelled any more ({self.switchover.state}): "
                "switch back when it is over"
            )
        self._cancelled_by = by
        self._take_back.cancel()

    def go_on(self) -> None:
        """Let it go on from a pause. Raises ConflictError where it does not pause."""
        if self.switchover.paused_before is None:
            raise ConflictError(f"the switchover of {self.switchover.in_words} does not pause")
        self._go_on.set()

    # -- before

    async def _up_to_the_switch(self) -> str | None:
        """Return why it has to be rolled back; None where it may go on, or is over."""
        reason: str | None = None
        with self._take_back:
            with self._run.limit:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(refuse_when_due, self._run)
                    reason = await self._steps_before()
                    nursery.cancel_scope.cancel()
            if self._run.limit.cancelled_caught:
                reason = self._run.not_drained()
        if self._take_back.cancel_called and not self.switchover.over:
            reason = f"cancelled ({self._cancelled_by})"
        return reason

    async def _steps_before(self) -> str | None:
        run, switchover = self._run, self.switchover
        try:
            async with AsyncExitStack() as clients:
                run.target_view = await clients.enter_async_context(run.data_path.cluster_client(run.target))
                if switchover.mode == "planned":
                    run.source_view = await clients.enter_async_context(run.data_path.cluster_client(run.source))
                for step in BEFORE_THE_SWITCH:
                    if switchover.mode not in step.modes:
                        continue
                    await self._pause(step.state)
                    await self._enter(step)
                    await step.act(run)
                    if switchover.over:
                        await self._keep()
                        return None
                await self._pause(SWITCH.state)
        except Exception as error:
            if not isinstance(error, NotDrainedError | ClusterUnreachable | StateError | trio.TooSlowError):
                log.exception("switchover of %s", switchover.in_words)
            return _reason(error)
        return None

    async def _enter(self, step: Step) -> None:
        """Write a state down; a switchover begins in its first."""
        if self.switchover.state != step.state:
            self.switchover.enter(step.state)
        await self._signals.keep(self.switchover)

    async def _pause(self, state: State) -> None:
        switchover = self.switchover
        if state not in switchover.order.pause_before:
            return
        switchover.paused_before, self._go_on = state, trio.Event()
        switchover.say(f"{switchover.detail}; paused before {state}".removeprefix("; "))
        await self._go_on.wait()
        switchover.paused_before = None

    async def _switch(self) -> str | None:
        """Make the target serve; return why that could not be. Nothing in here can be cancelled."""
        self.switchover.enter(SWITCH.state)
        try:
            await SWITCH.act(self._run)
        except StateError as error:
            return _reason(error)
        return None

    async def _roll_back(self, reason: str) -> None:
        switchover = self.switchover
        switchover.paused_before = None
        if self._run.fence != OPEN:
            self._run.set_fence(OPEN)
        aborted = f"; {len(switchover.aborted)} transactions were aborted" if switchover.aborted else ""
        switchover.enter("rolled-back", f"{reason}; {switchover.source} serves as before{aborted}")
        await self._keep()

    # -- after

    async def _after_the_switch(self, steps: tuple[Step, ...]) -> None:
        """Nothing in here may leave the fence closed."""
        switchover = self.switchover
        trouble: list[str] = []
        for step in steps:
            if step.state in switchover.order.pause_before:
                with trio.move_on_after(self._run.hold):  # writes are held, and nobody can take it back
                    await self._pause(step.state)
                switchover.paused_before = None
            switchover.enter(step.state)
            await self._keep()
            try:
                await step.act(self._run)
            except Exception as error:
                if not isinstance(error, ClusterUnreachable | trio.TooSlowError):
                    log.exception("switchover of %s", switchover.in_words)
                trouble.append(
                    step.trouble.format(
                        state=step.state,
                        reason=_reason(error),
                        source=switchover.source,
                        target=switchover.target,
                        whom=switchover.whom,
                    )
                )
                switchover.say(trouble[-1])
        resumed = f"; resumed after a restart at step {switchover.resumed_at}" if switchover.resumed_at else ""
        serves = f"{switchover.target} serves {', '.join(switchover.virtual_clusters)}"
        if trouble:
            switchover.enter("failed", f"{serves}; {'; '.join(trouble)}{resumed}")
        else:
            switchover.enter("done", f"{serves}{resumed}")
        await self._keep()

    async def _keep(self) -> None:
        """Write the record down where that failing changes nothing any more."""
        try:
            await self._signals.keep(self.switchover)
        except StateError as error:
            log.error("the record of the switchover of %s was not kept: %s", self.switchover.in_words, error)

    def _log_the_end(self) -> None:
        switchover = self.switchover
        log.info("switchover %s of %s: %s, %s", switchover.id, switchover.in_words, switchover.state, switchover.detail)


def _reason(error: Exception) -> str:
    if isinstance(error, trio.TooSlowError):
        return "it took too long"
    return str(error) or type(error).__name__
