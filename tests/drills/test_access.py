"""How a drill's clients come in: what the gateway is told of it, and what is not left behind."""

import stat

from appliance.drills.access import Access, open_access
from appliance.identity.verifiers import ScramCheck, ScramSecrets


def test_without_security_nothing_is_made_and_nobody_has_a_password(tmp_path):
    with open_access("none", ["shop"], tmp_path / "tls") as access:
        assert access == Access()
        assert access.settings("shop") == {}
    assert list(tmp_path.iterdir()) == []


def test_each_client_is_a_user_whom_the_gateway_knows_by_a_verifier_alone(tmp_path):
    with open_access("tls-scram", ["shop", "ledger"], tmp_path / "tls") as access:
        passwords = {name: access.settings(name)["sasl.password"] for name in ("shop", "ledger")}
        assert len(set(passwords.values())) == 2
        for user in access.users:
            check = ScramCheck("SCRAM-SHA-512", ScramSecrets.of(user.spec.scram["SCRAM-SHA-512"]))
            assert check.matches(passwords[user.username].encode())
        said = "".join(user.model_dump_json() for user in access.users) + repr(access)
        assert not any(password in said for password in passwords.values())


def test_the_key_is_the_gateways_alone_and_goes_with_the_run(tmp_path):
    with open_access("tls-scram", ["shop"], tmp_path / "tls"):
        key = tmp_path / "tls" / "server.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert sorted(file.name for file in (tmp_path / "tls").iterdir()) == ["ca.pem", "server.pem"]


def test_passwords_differ_from_run_to_run(tmp_path):
    seen = set()
    for run in ("1", "2"):
        with open_access("tls-scram", ["shop"], tmp_path / run) as access:
            seen.add(access.settings("shop")["sasl.password"])
    assert len(seen) == 2
