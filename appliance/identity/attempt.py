"""One attempt to authenticate, as a mechanism sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from appliance.identity.errors import Denied
from appliance.identity.throttle import Throttle

if TYPE_CHECKING:
    from appliance.identity.policy import IdentityPolicy

LONGEST_NAME = 255
"""Characters; what strangers claim goes into the audit trail."""


class Attempt:
    """What a mechanism needs beside its tokens: the policy that held when it began, randomness, and the throttle."""

    def __init__(
        self, policy: IdentityPolicy, entropy: Callable[[int], bytes], throttle: Throttle, address: str
    ) -> None:
        self.policy = policy
        self.entropy = entropy
        self.claimed: str | None = None
        """Whom the client says to be, once it has said so."""
        self._throttle = throttle
        self._address = address

    def hear(self, public: str, now: float) -> None:
        """Let the attempt go on before it is known whose it is. Raises Denied while its address is not heard."""
        self._hear(None, public, now)

    def claim(self, name: str, public: str, now: float) -> None:
        """Note whom the client says to be, before any work is done for it.

        Raises Denied, with the public words that a wrong password gets, while the throttle does not hear this name.
        """
        self.claimed = name[:LONGEST_NAME]
        if len(name) > LONGEST_NAME:
            raise Denied(f"expected a name of up to {LONGEST_NAME} characters, found {len(name)}", public)
        self._hear(name, public, now)

    def _hear(self, name: str | None, public: str, now: float) -> None:
        left = self._throttle.wait(name, self._address, now)
        if left > 0:
            raise Throttled(f"too many failures: not heard for another {left:.1f} s", public)

    def failed(self, now: float) -> None:
        """Tell the throttle of a failure."""
        self._throttle.failed(self.claimed, self._address, now)

    def succeeded(self, name: str) -> None:
        """Tell the throttle who came in."""
        self._throttle.succeeded(name, self._address)


class Throttled(Denied):
    """An attempt that came too soon after failures; it was not looked at and does not count as another."""
