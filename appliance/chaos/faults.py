"""From a fault's spec to something that strikes."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.chaos.aim import Aim, Count, Counters
from appliance.chaos.api_error import ApiError
from appliance.chaos.latency import Latency
from appliance.chaos.legality import LEGAL, error_named, names
from appliance.chaos.outage import ClusterOutage
from appliance.chaos.partitions import PARTITIONED
from appliance.exchange.interceptor import Interceptor, Outage
from appliance.resources.fault import FaultSpec
from appliance.wire.apis import KEYS, NAMES


@dataclass(frozen=True)
class ArmedFault:
    """A fault that is ready to strike; it does while a snapshot has it."""

    name: str
    spec: FaultSpec
    counters: Counters
    interceptor: Interceptor | None
    outage: Outage | None


def arm(name: str, spec: FaultSpec, count: Count | None = None) -> ArmedFault:
    """Make the fault ready; `count` as in Aim. Raises ValueError, naming all that is wrong, where no broker could cause
    it."""
    problems = _problems(spec)
    if problems:
        raise ValueError("; ".join(problems))
    aim = Aim(name, spec.select, spec.trigger, spec.seed, count)
    after = spec.apply == "after"
    interceptor: Interceptor | None = None
    outage: Outage | None = None
    if spec.latency is not None:
        interceptor = Latency(aim, spec.latency, apis=spec.select.apis, after=after)
    elif spec.error is not None:
        code = error_named(spec.error.code)
        assert code is not None
        interceptor = ApiError(aim, code, apis=spec.select.apis or [], after=after)
    else:
        assert spec.outage is not None
        outage = ClusterOutage(aim, spec.outage.mode)
    return ArmedFault(name, spec, aim.counters, interceptor, outage)


def _problems(spec: FaultSpec) -> list[str]:
    apis = spec.select.apis
    problems = [
        f"select.apis: expected a Kafka API such as Produce, found {api}" for api in apis or () if api not in KEYS
    ]
    if spec.error is not None:
        problems += _error_problems(spec, spec.error.code)
    elif spec.latency is not None:
        if (spec.select.topic or spec.select.partitions) and any(
            KEYS.get(api, -1) not in PARTITIONED for api in apis or ()
        ):
            able = ", ".join(NAMES[key] for key in sorted(PARTITIONED))
            problems.append(f"select.topic and select.partitions: only {able} can be told apart by partition")
    elif spec.select.model_dump(exclude_none=True) or spec.trigger.model_dump(exclude_none=True):
        problems.append("an outage strikes all connections to its cluster: select and trigger do not apply")
    return problems


def _error_problems(spec: FaultSpec, code: str) -> list[str]:
    error = error_named(code)
    if error is None:
        return [f"error.code: Kafka has no error {code}"]
    apis = spec.select.apis
    if not apis:
        return ["select.apis: say whose answers the error is put into: Produce or Fetch"]
    problems = []
    for api in apis:
        legal = LEGAL.get((api, spec.apply))
        if legal is None:
            problems.append(f"select.apis: errors can be injected into Produce and Fetch, not {api}")
        elif error not in legal:
            problems.append(
                f"error.code: no broker answers {api} with {code} {spec.apply} applying it; legal are {names(legal)}"
            )
    return problems
