"""A fault's life in a drill: armed through the API, renewed while it lasts, ended, its counters recorded."""

from __future__ import annotations

import trio

from appliance.drills.scenario.steps import FaultAction, Step
from appliance.drills.stage import Stage
from appliance.journal.events import FaultArmed, FaultEnded
from appliance.remote.errors import RefusedError, RemoteError
from appliance.resources.envelope import Metadata
from appliance.resources.fault import Fault, FaultSpec
from appliance.resources.units import format_duration

RENEWAL_SECONDS = 5.0
"""Three renewals fit into a lease of 15 s: two may be lost."""
_REHEARSAL_SECONDS = 60.0


async def arm(stage: Stage, step: str, action: FaultAction) -> None:
    """Arm the step's fault; healing owes its end from now on. Raises RemoteError where the gateway refuses it."""
    stage.healing.owe(_key(step), f"ending the fault {step}", lambda: end(stage, step))
    if action.disruptive:
        stage.disrupted()
    at = stage.clock()
    await stage.gateway.api.put(_fault(stage, step, action))
    stage.armed.add(step)
    stage.record.add(
        FaultArmed(at=at, fault=step, type=action.type, description=describe(action), disrupts=action.disruptive)
    )


async def hold(stage: Stage, step: str, seconds: float) -> None:
    """Renew the fault's lease until it has lasted this long. A fault that is over early is left at that."""
    with trio.move_on_after(seconds):
        while True:
            await trio.sleep(min(RENEWAL_SECONDS, seconds))
            try:
                await stage.gateway.api.renew_fault(step)
            except RefusedError:
                await trio.sleep_forever()
            except RemoteError as error:
                stage.progress.say(f"the lease of {step} was not renewed: {error}")


async def end(stage: Stage, step: str) -> None:
    """End the fault and record what it did. Raises RemoteError where the gateway does not answer."""
    stage.healing.paid(_key(step))
    api = stage.gateway.api
    try:
        await api.delete("faults", step)
        status = (await api.fault(step)).status
    except RefusedError as error:
        if error.status != 404:
            raise
        return  # it never came so far
    if step not in stage.armed:
        return  # cut short while it was being armed: it struck nobody for longer than that
    stage.record.add(
        FaultEnded(
            at=stage.clock(),
            fault=step,
            matched=status.matched,
            fired=status.fired,
            skipped=status.skipped,
            clients=status.clients,
        )
    )


async def rehearse(stage: Stage, step: Step) -> str:
    """Let the gateway judge a fault without arming it; return why it refuses it, empty if it does not.

    The API has no dry run for faults: this one starts in a minute, and is taken back at once.
    """
    if step.fault is None:
        return ""
    fault = _fault(stage, step.id, step.fault)
    later = fault.spec.model_copy(update={"starts_in": _REHEARSAL_SECONDS})
    try:
        await stage.gateway.api.put(fault.model_copy(update={"spec": later}))
        await stage.gateway.api.delete("faults", step.id)
    except RefusedError as error:
        return str(error)
    return ""


def describe(action: FaultAction) -> str:
    """Return the fault in words: `latency of 200ms on orders, for 10s`."""
    select = action.select
    where = [
        f"{name} {value}"
        for name, value in (
            ("client", select.client_id),
            ("API", ", ".join(select.apis or [])),
            ("topic", select.topic),
            ("partitions", ", ".join(map(str, select.partitions or []))),
        )
        if value
    ]
    trigger = [
        words.format(value)
        for words, value in (
            ("the first {}", action.trigger.first),
            ("number {}", action.trigger.nth),
            ("one in {}", action.trigger.every),
            ("{:.3g} of them", action.trigger.probability),
        )
        if value is not None
    ]
    return ", ".join([_essence(action), *where, *trigger, f"for {format_duration(action.duration)}"])


def _essence(action: FaultAction) -> str:
    if action.latency:
        jitter = f" to {format_duration(action.latency.delay + action.latency.jitter)}" if action.latency.jitter else ""
        return f"latency of {format_duration(action.latency.delay)}{jitter}"
    if action.error:
        place = "after the broker has applied it" if action.apply == "after" else "before the broker sees it"
        return f"error {action.error.code}, {place}"
    assert action.outage is not None
    return f"outage of {action.outage.cluster} ({action.outage.mode})"


def _fault(stage: Stage, step: str, action: FaultAction) -> Fault:
    spec: FaultSpec = action.spec(stage.virtual_cluster, stage.seed)
    return Fault(metadata=Metadata(name=step), spec=spec)


def _key(step: str) -> str:
    return f"fault/{step}"
