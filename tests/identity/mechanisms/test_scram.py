"""SCRAM against the vectors of its specification and against another implementation's client."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import scramp
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.identity.attempt import Attempt
from appliance.identity.errors import Denied
from appliance.identity.mechanisms.exchange import Challenge, Proven
from appliance.identity.mechanisms.scram import ScramExchange
from appliance.identity.steps import Accepted, Failed, Reply
from appliance.identity.throttle import Throttle
from appliance.identity.verifiers import make_scram
from appliance.resources.user import DIGEST_BYTES
from tests.identity.scene import NOW, PASSWORD, REFUSED, Entropy, Shell, answer, policy, user

RFC_7677_SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
RFC_7677_NONCE = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"


def scripted(verifiers: dict[str, object], nonce: str, mechanism: str = "SCRAM-SHA-256") -> ScramExchange:
    """Return an exchange whose server nonce is the one of the specification."""
    known = user("user", scram=verifiers)
    exchange = ScramExchange(mechanism, Attempt(policy([known]), Entropy(), Throttle(), "10.0.0.1"))
    exchange._server.s_nonce = scramp.core.Nonce(nonce)
    return exchange


def test_the_exchange_of_rfc_7677():
    exchange = scripted({"SCRAM-SHA-256": make_scram("SCRAM-SHA-256", "pencil", RFC_7677_SALT, 4096)}, RFC_7677_NONCE)
    first = exchange.receive(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", NOW)
    assert first == Challenge(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    last = exchange.receive(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        NOW,
    )
    assert isinstance(last, Proven)
    assert (last.token, last.principal.name) == (b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "user")


@pytest.mark.parametrize("mechanism", DIGEST_BYTES)
@pytest.mark.parametrize("name", ["alice", "a,b=c", "ærøskøbing"])
def test_another_implementation_logs_in_and_is_convinced_by_the_server(mechanism: str, name: str):
    shell = Shell(policy([user("x", username=name)]))
    them: Any = scramp.ScramClient([mechanism], name, PASSWORD)
    shell.handshake(mechanism)
    them.set_server_first(answer(shell.authenticate(them.get_client_first().encode())).auth_bytes.decode())
    step = shell.authenticate(them.get_client_final().encode())
    assert isinstance(step, Accepted)
    them.set_server_final(answer(step).auth_bytes.decode())
    assert step.principal.name == name


def test_a_delegation_token_is_refused_with_what_to_do():
    shell = Shell()
    shell.handshake("SCRAM-SHA-256")
    step = shell.authenticate(b"n,,n=some-token-id,r=abc,tokenauth=true")
    assert answer(step).error_message == (
        "Delegation tokens are not accepted here: they need a listener that delegates authentication"
    )


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"n,,",
        b"n,,n=alice",
        b"n,,r=abc",
        b"n,,n=,r=abc",
        b"n,,n=alice,r=",
        b"n,,m=ext,n=alice,r=abc",
        b"n,a=bob,n=alice,r=abc",
        b"p=tls-unique,,n=alice,r=abc",
        b"p=tls-exporter,,n=alice,r=abc",
        b"n,,n=al=ice,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=a\x00b,r=abc",
        b"n,,n=alice,r=" + b"a" * 20_000,
    ],
)
def test_what_is_no_first_message(first: bytes):
    shell = Shell()
    shell.handshake("SCRAM-SHA-256")
    assert answer(shell.authenticate(first)).error_code.value == REFUSED


def test_a_proof_counts_for_one_exchange():
    replayed: list[bytes] = []
    for attempt in range(2):
        shell = Shell()
        shell.conversation._entropy = Entropy(f"server {attempt}")
        them: Any = scramp.ScramClient(["SCRAM-SHA-256"], "alice", PASSWORD, c_nonce="fixed")
        shell.handshake("SCRAM-SHA-256")
        them.set_server_first(answer(shell.authenticate(them.get_client_first().encode())).auth_bytes.decode())
        replayed.append(them.get_client_final().encode())
        step = shell.authenticate(replayed[0])
        assert isinstance(step, Accepted if attempt == 0 else Failed)


def test_no_error_tells_an_unknown_name_from_a_wrong_password():
    texts = set()
    for name in ("alice", "mallory", "dave"):
        shell = Shell(policy([user(), user("dave", enabled=False)]))
        them: Any = scramp.ScramClient(["SCRAM-SHA-256"], name, PASSWORD if name == "dave" else "wrong")
        shell.handshake("SCRAM-SHA-256")
        them.set_server_first(answer(shell.authenticate(them.get_client_first().encode())).auth_bytes.decode())
        refusal = answer(shell.authenticate(them.get_client_final().encode()))
        texts.add((refusal.error_code, refusal.error_message, refusal.auth_bytes))
    assert len(texts) == 1


@settings(max_examples=300)
@given(
    st.lists(
        st.binary(max_size=50)
        | st.text(max_size=50).map(str.encode)
        | st.lists(
            st.sampled_from(["n", "r=a", "n=alice", "c=biws", "p=AAAA", "y", "p=", "e=x", "s=a", "=", "a="])
        ).map(lambda parts: ",".join(parts).encode()),
        max_size=4,
    )
)
def test_only_our_own_error_comes_out(messages: list[bytes]):
    exchange = ScramExchange("SCRAM-SHA-256", Attempt(policy(), Entropy(), Throttle(), "10.0.0.1"))
    for message in messages:
        try:
            assert isinstance(exchange.receive(message, NOW), Challenge)
        except Denied:
            break


@settings(max_examples=300)
@given(
    final=st.binary(max_size=60)
    | st.builds(lambda c, r, p: f"c={c},r={r},p={p}".encode(), st.text(), st.text(), st.text())
)
def test_no_last_message_gets_in_without_the_password(final: bytes):
    shell = Shell()
    shell.handshake("SCRAM-SHA-256")
    assert isinstance(shell.authenticate(b"n,,n=alice,r=abc"), Reply)
    assert isinstance(shell.authenticate(final), Failed)
