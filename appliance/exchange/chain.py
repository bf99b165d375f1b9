"""Which interceptors want which kind of message: asked once per kind, then remembered."""

from __future__ import annotations

from appliance.exchange.interceptor import Interceptor

Wanting = tuple[Interceptor, ...]
_KINDS = 4096


class Chain:
    """The interceptors of one route, sorted by what they want."""

    def __init__(self, interceptors: tuple[Interceptor, ...]) -> None:
        self._interceptors = interceptors
        self._requests: dict[tuple[int, int], Wanting] = {}
        self._responses: dict[tuple[int, int], Wanting] = {}

    def of_request(self, api_key: int, api_version: int) -> Wanting:
        """Return those that want such requests, in their order."""
        kind = (api_key, api_version)
        wanting = self._requests.get(kind)
        if wanting is None:
            wanting = tuple(each for each in self._interceptors if each.wants_request(*kind))
            _remember(self._requests, kind, wanting)
        return wanting

    def of_response(self, api_key: int, api_version: int) -> Wanting:
        """Return those that want such responses, in reverse order: what was outermost on the way in is so on the way
        out."""
        kind = (api_key, api_version)
        wanting = self._responses.get(kind)
        if wanting is None:
            wanting = tuple(each for each in reversed(self._interceptors) if each.wants_response(*kind))
            _remember(self._responses, kind, wanting)
        return wanting


def _remember(known: dict[tuple[int, int], Wanting], kind: tuple[int, int], wanting: Wanting) -> None:
    # The numbers come from clients: a hostile one must not fill the memory with them.
    if len(known) >= _KINDS:
        known.clear()
    known[kind] = wanting
