"""Latency: hold each struck frame, and what is behind it on the connection, as a slow broker or network would."""

from __future__ import annotations

from appliance.chaos.aim import Aim
from appliance.chaos.partitions import has_partitions, partitions_of
from appliance.exchange.interceptor import Delay, RequestVerdict, ResponseVerdict
from appliance.exchange.message import Answer, Question
from appliance.resources.fault import LatencySpec
from appliance.wire.apis import KEYS


class Latency:
    """`before` delays the request, `after` the response of a request that matched."""

    def __init__(self, aim: Aim, spec: LatencySpec, *, apis: list[str] | None, after: bool) -> None:
        self._aim = aim
        self._spec = spec
        self._keys = None if apis is None else {KEYS[name] for name in apis}
        self._after = after
        self._memo = f"latency/{id(self)}"

    def wants_request(self, api_key: int, api_version: int) -> bool:
        if self._keys is not None and api_key not in self._keys:
            return False
        return self._aim.any_partition or has_partitions(api_key, api_version)

    def wants_response(self, api_key: int, api_version: int) -> bool:
        return self._after and self.wants_request(api_key, api_version)

    def on_request(self, question: Question) -> RequestVerdict:
        """Decide; a delay that strikes after upstream is only noted here."""
        if not self._aim.fits_client(question.client_id):
            return None
        if not self._aim.any_partition and not any(self._aim.fits_partition(*each) for each in partitions_of(question)):
            return None
        if not self._aim.due(question.client_id):
            return None
        seconds = self._spec.delay + self._aim.generator(question.client_id).random() * self._spec.jitter
        self._aim.struck(question.client_id)
        if self._after:
            question.memo[self._memo] = seconds
            return None
        return Delay(seconds)

    def on_response(self, answer: Answer) -> ResponseVerdict:
        """Delay the response of a struck request."""
        seconds = answer.question.memo.pop(self._memo, None)
        return Delay(seconds) if isinstance(seconds, float) else None
