"""A shell around a Conversation without sockets, clients that speak to it, and users who are known."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from kio.schema.errors import ErrorCode

from appliance.identity.accounts import Accounts
from appliance.identity.conversation import Conversation
from appliance.identity.keys import KeySets
from appliance.identity.policy import IdentityPolicy, policy_of
from appliance.identity.replies import SASL_AUTHENTICATE
from appliance.identity.revocations import Revocations
from appliance.identity.steps import Accepted, Failed, Reply, Step, WantKeys, Work
from appliance.identity.throttle import Throttle
from appliance.identity.upstream.login import LoggedIn, Login
from appliance.identity.upstream.mechanisms import sasl_client
from appliance.identity.upstream.sasl_client import SaslClient
from appliance.identity.verifiers import make_scram
from appliance.resources.envelope import Metadata
from appliance.resources.listener_authentication import ListenerAuthentication
from appliance.resources.token_revocation import TokenRevocation
from appliance.resources.user import DIGEST_BYTES, ScryptHash, User, UserSpec
from appliance.wire.apis import Api
from appliance.wire.codec import decode, encode, request_type, response_type

NOW = 1_800_000_000.0
PASSWORD = "correct horse"
DISGUISE = b"a secret of this gateway"
ALL = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Entropy:
    """Random bytes that repeat from run to run and never within one."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed
        self._count = 0

    def __call__(self, size: int) -> bytes:
        self._count += 1
        return hashlib.shake_256(f"{self._seed}{self._count}".encode()).digest(size)


def cheap_scrypt(password: str, salt: bytes = b"0123456789abcdef") -> ScryptHash:
    """Hash a password at the lowest cost that is allowed."""
    found = hashlib.scrypt(password.encode(), salt=salt, n=1024, r=1, p=1, dklen=32)
    return ScryptHash(salt=base64.b64encode(salt).decode(), n=1024, r=1, p=1, hash=base64.b64encode(found).decode())


def user(name: str = "alice", password: str = PASSWORD, **spec: Any) -> User:
    """Declare a user with verifiers for everything."""
    salt = hashlib.sha256(name.encode()).digest()[:24]
    fields: dict[str, Any] = {
        "scram": {each: make_scram(each, password, salt, 4096) for each in DIGEST_BYTES},
        "scrypt": cheap_scrypt(password),
        **spec,
    }
    return User(metadata=Metadata(name=name), spec=UserSpec.model_validate(fields))


def policy(
    users: Iterable[User] = (user(),),
    revocations: Iterable[TokenRevocation] = (),
    key_sets: KeySets | None = None,
    **authentication: Any,
) -> IdentityPolicy:
    """Make the policy of a listener that offers PLAIN and SCRAM where nothing else is said."""
    asked = ListenerAuthentication.model_validate({"mechanisms": ALL, **authentication})
    return policy_of(asked, Accounts.of(users, DISGUISE), Revocations(revocations), key_sets or KeySets())


@dataclass
class Shell:
    """Does at once what a conversation's steps say; `policy` and `now` can change between requests."""

    policy: IdentityPolicy = field(default_factory=policy)
    now: float = NOW
    throttle: Throttle = field(default_factory=Throttle)
    address: str = "10.0.0.1"
    fetch: Callable[[str], bytes] | None = None
    steps: list[Step] = field(default_factory=list)
    work: list[Work] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conversation = Conversation(
            lambda: self.policy, entropy=Entropy("server"), throttle=self.throttle, address=self.address
        )

    def request(self, api_key: int, api_version: int, body: bytes) -> Step:
        return self._through(self.conversation.request(api_key, api_version, body, self.now))

    def token(self, token: bytes) -> Step:
        return self._through(self.conversation.token(token, self.now))

    def handshake(self, mechanism: str, api_version: int = 1) -> Step:
        body = encode(request_type(Api.SASL_HANDSHAKE, api_version)(mechanism=mechanism))
        return self.request(Api.SASL_HANDSHAKE, api_version, body)

    def authenticate(self, token: bytes, api_version: int = 2) -> Step:
        body = encode(request_type(SASL_AUTHENTICATE, api_version)(auth_bytes=token))
        return self.request(SASL_AUTHENTICATE, api_version, body)

    def log_in(self, client: SaslClient) -> LoggedIn:
        """Let the gateway's own client log in, request by request. Raises UpstreamRefused."""
        login = Login(client)
        step: Any = login.start()
        while not isinstance(step, LoggedIn):
            if isinstance(step, Work):
                step = login.resume(step.run())
                continue
            answer = self.request(step.api_key, step.api_version, step.body)
            assert isinstance(answer, Reply | Accepted | Failed)
            assert answer.body is not None
            step = login.answered(answer.body)
        return step

    @property
    def failure(self) -> Failed:
        """The one failure that there was."""
        (found,) = [each for each in self.steps if isinstance(each, Failed)]
        return found

    def _through(self, step: Step) -> Step:
        while isinstance(step, Work | WantKeys):
            if isinstance(step, Work):
                self.work.append(step)
                step = self.conversation.resume(self.now, step.run())
                continue
            if step.keys.attempts == step.seen:
                try:
                    assert self.fetch is not None
                    step.keys.load(self.fetch(step.keys.source), self.now)
                except OSError as error:
                    step.keys.failed(f"{error}", self.now)
            step = self.conversation.resume(self.now)
        self.steps.append(step)
        return step


def client(mechanism: str, username: str = "alice", secret: str = PASSWORD) -> SaslClient:
    """Return a client as the gateway uses them upstream."""
    return sasl_client(mechanism, username=username, secret=secret, entropy=Entropy("client"))


def plain_token(username: str = "alice", password: str = PASSWORD, authzid: str = "") -> bytes:
    """Return PLAIN's one token."""
    return f"{authzid}\0{username}\0{password}".encode()


def handshake_answer(step: Step, api_version: int = 1) -> tuple[int, tuple[str, ...]]:
    """Return error code and mechanisms that a client reads."""
    assert isinstance(step, Reply | Failed)
    assert step.body is not None
    response: Any = decode(response_type(Api.SASL_HANDSHAKE, api_version), step.body)
    return response.error_code.value, response.mechanisms


def answer(step: Step, api_version: int = 2) -> Any:
    """Return the SaslAuthenticate response that a client reads."""
    assert isinstance(step, Reply | Accepted | Failed)
    assert step.body is not None
    return decode(response_type(SASL_AUTHENTICATE, api_version), step.body)


REFUSED = ErrorCode.sasl_authentication_failed.value
OUT_OF_ORDER = ErrorCode.illegal_sasl_state.value
UNSUPPORTED = ErrorCode.unsupported_sasl_mechanism.value
