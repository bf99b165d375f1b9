"""Nobody can find out by asking which names there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.identity.accounts import Accounts
from appliance.identity.steps import Work
from appliance.identity.verifiers import ScramCheck, ScryptCheck
from tests.identity.scene import DISGUISE, PASSWORD, Shell, answer, client, plain_token, policy, user

KNOWN = [user("alice"), user("bob", "other words", scrypt=None), user("carol", scram={}), user("dave", enabled=False)]
ACCOUNTS = Accounts.of(KNOWN, DISGUISE)


def server_first(name: str, shell: Shell | None = None) -> dict[str, str]:
    shell = shell or Shell(policy(KNOWN))
    shell.handshake("SCRAM-SHA-256")
    text = answer(shell.authenticate(f"n,,n={name},r=abc".encode())).auth_bytes.decode()
    return dict(part.split("=", 1) for part in text.split(","))


def test_an_unknown_name_gets_the_same_salt_every_time_and_one_of_its_own():
    assert server_first("mallory")["s"] == server_first("mallory")["s"] != server_first("oscar")["s"]


def test_an_unknown_name_looks_like_a_known_one():
    known, unknown = server_first("alice"), server_first("mallory")
    assert known.keys() == unknown.keys()
    assert {key: len(value) for key, value in known.items()} == {key: len(value) for key, value in unknown.items()}
    assert known["i"] == unknown["i"]


def test_a_user_without_a_verifier_is_shown_what_an_unknown_one_is():
    assert server_first("carol")["i"] == "4096"


def test_a_disabled_user_keeps_its_salt():
    before = server_first("dave", Shell(policy([user("dave")])))
    assert server_first("dave")["s"] == before["s"]


def test_other_gateways_are_not_of_one_secret():
    other = Accounts.of(KNOWN, b"another secret")
    assert other.scram_of("mallory", "SCRAM-SHA-256").salt != ACCOUNTS.scram_of("mallory", "SCRAM-SHA-256").salt


@given(st.text(min_size=1))
def test_a_made_up_check_costs_what_a_real_one_does_and_nothing_passes_it(name: str):
    known = {each.username for each in KNOWN}
    check = ACCOUNTS.password_of(name)
    if isinstance(check, ScryptCheck):
        assert (check.n, check.r, check.p) == (1024, 1, 1)
    else:
        assert isinstance(check, ScramCheck)
        assert check.secrets.iterations == 4096
    if name not in known:
        assert not check.matches(PASSWORD.encode())


def test_both_kinds_of_check_are_made_up_where_both_are_in_use():
    kinds = {type(ACCOUNTS.password_of(f"nobody-{number}")) for number in range(50)}
    assert kinds == {ScryptCheck, ScramCheck}


def test_without_any_user_there_is_still_work():
    shell = Shell(policy([]))
    shell.handshake("PLAIN")
    shell.authenticate(plain_token())
    assert len(shell.work) == 1
    assert isinstance(shell.work[0], Work)


def test_a_password_in_clear_text_is_checked_against_a_scram_verifier_where_there_is_no_hash():
    Shell(policy(KNOWN)).log_in(client("PLAIN", "bob", "other words"))


def test_groups_are_declared_for_principals_that_have_no_password_here():
    shop = user("shop", scram={}, scrypt=None, groups=["g"], username="CN=shop,O=Example")
    accounts = Accounts.of([shop], DISGUISE)
    assert accounts.groups_of("CN=shop,O=Example") == {"g"}
    assert accounts.groups_of("CN=other") == frozenset()
