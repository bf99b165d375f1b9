"""What passes, counted: requests, answers, bytes and times, by virtual cluster and API.

On the data path these are plain slots of a `Meter`; whoever wants to show them reads them (`readings`). A connection
has a `Metering`, which looks up its meters and keeps the times of what is under way. It has no clock: the shell says
when it is (`now`), and when bytes have left.

    came ── the gateway ──▶ left ── the broker ──▶ began ── the gateway ──▶ gone
        request's first byte    request's last        response's first    response's last

Gateway time is the first and the last of these spans, upstream time the one between; holds and delays are the
gateway's. An approximation where a message passes as it comes: `came` is when its header was there, `began` likewise,
and where a broker answers before it has been sent everything `left` is taken to be `began`. All four are as fine as the
shell's clock: one reading per round of events, and one when bytes have left.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING

from appliance.exchange.measures import Latency, Measures
from appliance.wire.apis import NAMES
from appliance.wire.error_codes import name_of_error

if TYPE_CHECKING:
    from appliance.exchange.ledger import Entry

BOUNDS = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
)  # fmt: skip
"""Upper bounds of the buckets of times, in seconds: a gateway adds tenths of a millisecond, a Fetch waits half a
second, a fence holds writes for twenty."""
_OTHER = -1
"""In place of API keys that Kafka does not have: they come from clients, who must not fill the memory with them."""


class Meter:
    """Of one API of one virtual cluster, in this process."""

    __slots__ = (
        "bytes_in",
        "bytes_out",
        "errors",
        "gateway_buckets",
        "gateway_seconds",
        "requests",
        "responses",
        "upstream_buckets",
        "upstream_seconds",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.responses = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.errors: dict[int, int] = {}
        self.gateway_buckets = [0] * (len(BOUNDS) + 1)
        """The last one is for what is longer than all bounds."""
        self.gateway_seconds = 0.0
        self.upstream_buckets = [0] * (len(BOUNDS) + 1)
        self.upstream_seconds = 0.0

    def count_errors(self, codes: list[int]) -> None:
        """Count the error codes of one answer."""
        for code in codes:
            self.errors[code] = self.errors.get(code, 0) + 1


class ApiMeters(dict[int, Meter]):
    """The meters of one virtual cluster, by API key; made when they are first asked for."""

    def __missing__(self, api_key: int) -> Meter:
        key = api_key if api_key in NAMES else _OTHER
        found = self.get(key)
        if found is None:
            found = self[key] = Meter()
        return found


class Meters:
    """All meters of a process. Those of a virtual cluster that is gone stay: counters do not go back."""

    def __init__(self) -> None:
        self._of: dict[str, ApiMeters] = {}

    def of(self, virtual_cluster: str) -> ApiMeters:
        """Return the meters of a virtual cluster."""
        found = self._of.get(virtual_cluster)
        if found is None:
            found = self._of[virtual_cluster] = ApiMeters()
        return found

    def readings(self) -> Measures:
        """Return what the meters show now."""
        meters = list(self._labelled())
        return Measures(
            requests=tuple((labels, each.requests) for labels, each in meters),
            responses=tuple((labels, each.responses) for labels, each in meters),
            bytes_in=tuple((labels, each.bytes_in) for labels, each in meters),
            bytes_out=tuple((labels, each.bytes_out) for labels, each in meters),
            gateway_times=tuple(
                (labels, Latency(tuple(each.gateway_buckets), each.gateway_seconds)) for labels, each in meters
            ),
            upstream_times=tuple(
                (labels, Latency(tuple(each.upstream_buckets), each.upstream_seconds)) for labels, each in meters
            ),
            errors=tuple(
                ((*labels, name_of_error(code)), count)
                for labels, each in meters
                for code, count in each.errors.items()
            ),
        )

    def _labelled(self) -> Iterator[tuple[tuple[str, str], Meter]]:
        for virtual_cluster, meters in self._of.items():
            for api_key, meter in meters.items():
                yield (virtual_cluster, NAMES.get(api_key, "other")), meter


class Metering:
    """What one connection counts, and the times of its requests. To be told `now` before each call of the exchange,
    and when bytes have left (`requests_left`, `responses_left`): else what is under way piles up."""

    __slots__ = ("_meters", "came", "now", "replying", "sending")

    def __init__(self, meters: ApiMeters) -> None:
        self._meters = meters
        self.now = 0.0
        """Seconds of a monotonic clock."""
        self.came = 0.0
        """When the first byte of the request came that is read next."""
        self.sending: list[Entry] = []
        """Requests that go upstream and have not been said to have left."""
        self.replying: list[Entry] = []
        """Those whose answers go to the client and have not been said to have left."""

    def unanswered(self, api_key: int, size: int) -> None:
        """Count a request that has no answer; `size` in bytes, as it came."""
        meter = self._meters[api_key]
        meter.requests += 1
        meter.bytes_in += size
        self.came = self.now

    def entered(self, entry: Entry, size: int) -> None:
        """Count a request that goes upstream and is answered; `size` as above."""
        entry.meter = meter = self._meters[entry.api_key]
        meter.requests += 1
        meter.bytes_in += size
        entry.came = self.came
        self.came = self.now
        self.sending.append(entry)

    def answered_here(self, entry: Entry, size: int, errors: list[int]) -> None:
        """Count a request whose answer is made here (`Entry.local`), and has these error codes."""
        assert entry.local is not None
        entry.meter = meter = self._meters[entry.api_key]
        meter.requests += 1
        meter.responses += 1
        meter.bytes_in += size
        meter.bytes_out += len(entry.local) + len(entry.shared)
        meter.count_errors(errors)
        entry.came = self.came
        self.came = self.now

    def began(self, entry: Entry, size: int) -> None:
        """Note that the broker's answer has begun to come; heard once or more often. `size` in bytes, as it comes."""
        if entry.began is None and entry.meter is not None:
            entry.began = self.now
            entry.meter.responses += 1
            entry.meter.bytes_out += size

    def requests_left(self, now: float, *, whole: bool) -> None:
        """Note that all requests have been sent; of the last one only a part where they are not `whole`."""
        sending = self.sending
        if whole:
            for entry in sending:
                entry.left = now
            sending.clear()
        else:
            for entry in sending[:-1]:
                entry.left = now
            del sending[:-1]

    def responses_left(self, now: float) -> None:
        """Note that all answers have been sent."""
        for entry in self.replying:
            meter, began = entry.meter, entry.began
            assert meter is not None
            if began is None:
                gateway = now - entry.came
            else:
                left = began if entry.left is None or entry.left > began else entry.left
                upstream = began - left
                meter.upstream_seconds += upstream
                meter.upstream_buckets[bisect_left(BOUNDS, upstream)] += 1
                gateway = left - entry.came + now - began
            meter.gateway_seconds += gateway
            meter.gateway_buckets[bisect_left(BOUNDS, gateway)] += 1
        self.replying.clear()
