"""Which interceptors want which kind of message: asked once per kind, then remembered."""

from __future__ import annotations

from typing import NamedTuple

from appliance.exchange import addresses
from appliance.exchange.bare_sasl import is_bare_sasl
from appliance.exchange.interceptor import Interceptor, same_for_all
from appliance.exchange.retired import is_retired
from appliance.wire.apis import KINDS, Api, understood
from appliance.wire.headers import is_known_write

Wanting = tuple[Interceptor, ...]


class Kind(NamedTuple):
    """What a connection must know of a kind of message before it looks at it."""

    requests: Wanting
    """Those that want such requests, in their order."""
    responses: Wanting
    """Those that want such responses, in reverse order: what was outermost on the way in is so on the way out."""
    request_whole: bool
    """Whether requests are looked into, and so needed whole."""
    response_whole: bool
    writes: bool
    """Whether such requests wait at a fence."""
    alike: bool
    """Whether all clients of the route get the same of it."""
    unreadable: bool
    """Whether answers name nodes in a form that there is no layout for."""


class Chain:
    """The interceptors of one route, sorted by what they want."""

    def __init__(self, interceptors: tuple[Interceptor, ...]) -> None:
        self._interceptors = interceptors
        self._kinds: dict[tuple[int, int], Kind] = {}

    def kind(self, api_key: int, api_version: int) -> Kind:
        """Return what is to be done with such messages."""
        found = self._kinds.get((api_key, api_version))
        if found is None:
            if len(self._kinds) >= KINDS:
                self._kinds.clear()  # the numbers come from clients: a hostile one must not fill the memory with them
            found = self._kinds[api_key, api_version] = self._asked(api_key, api_version)
        return found

    def _asked(self, api_key: int, api_version: int) -> Kind:
        requests = tuple(each for each in self._interceptors if each.wants_request(api_key, api_version))
        responses = tuple(each for each in reversed(self._interceptors) if each.wants_response(api_key, api_version))
        negotiates = api_key == Api.API_VERSIONS
        names_nodes = addresses.carries_addresses(api_key, api_version)
        return Kind(
            requests,
            responses,
            request_whole=bool(requests)
            or negotiates
            or api_key in {Api.METADATA, Api.SASL_HANDSHAKE}
            or is_retired(api_key, api_version)
            or is_bare_sasl(api_key, api_version),
            response_whole=bool(responses) or negotiates or names_nodes,
            writes=is_known_write(api_key),
            alike=all(map(same_for_all, (*requests, *responses))),
            unreadable=names_nodes and not understood(api_key, api_version),
        )
