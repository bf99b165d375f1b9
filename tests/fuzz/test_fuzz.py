"""A short run of the fuzzer with every test run, and proof that it would see what it looks for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from appliance.exchange.exchange import Exchange
from appliance.exchange.message import Question
from appliance.exchange.route import Route
from appliance.exchange.step import Step
from tests.fuzz import campaign, sockets
from tests.fuzz.__main__ import main
from tests.fuzz.conversation import Conversation
from tests.fuzz.findings import Findings
from tests.fuzz.mutation import damaged
from tests.fuzz.setups import TARGET, Setup, setups

SEED = 20_261_124


@pytest.fixture
def findings(tmp_path: Path) -> Findings:
    return Findings(tmp_path / "found")


def test_two_thousand_damaged_frames_raise_nothing_but_malformed(findings: Findings):
    summary = campaign.run(2000, SEED, findings)
    assert findings.kinds == {}
    assert summary.frames >= 2000
    assert set(summary.endings) == {"in peace", "malformed", "refused"}


async def test_a_gateway_under_fire_lives_and_lets_go_of_every_connection(findings: Findings):
    summary = await sockets.run(200, SEED, findings)
    assert findings.kinds == {}
    assert summary.frames >= 200
    assert summary.left == 0


def test_a_conversation_is_a_function_of_seed_and_number():
    talks = []
    for _ in range(2):
        setup, random = campaign.setup_and_random(SEED, 17, setups())
        conversation = Conversation(setup, random)
        conversation.hold()
        talks.append((setup.name, bytes(conversation.said), bytes(conversation.answered), conversation.ended))
    assert talks[0] == talks[1]


def test_damage_changes_most_frames_and_mostly_keeps_their_size_true():
    random = Random(SEED)
    frame = (100).to_bytes(4, "big") + bytes(range(100))
    broken = [damaged(frame, random) for _ in range(1000)]
    assert sum(each != frame for each in broken) > 900
    assert sum(int.from_bytes(each[:4], "big") == len(each) - 4 for each in broken) > 850


# -- it sees what it looks for


class Stumbling:
    """An interceptor with an error of its own."""

    def wants_request(self, api_key: int, api_version: int) -> bool:  # noqa: ARG002 - the same for all versions
        return api_key == 3

    wants_response = wants_request

    def on_request(self, question: Question) -> None:
        raise LookupError(f"stumbled over version {question.api_version}")

    def on_response(self, answer: object) -> None:
        raise AssertionError(f"nothing is answered: {answer}")


def stumbling() -> tuple[Setup, ...]:
    route = Route("orders", TARGET, (Stumbling(),))
    return (Setup("stumbling", route, route, plain=False),)


def test_an_error_that_is_not_malformed_is_found_once_and_its_bytes_are_kept(findings: Findings):
    endings: Counter[str] = Counter()
    for number in range(200):
        campaign.hold(SEED, number, stumbling(), findings, endings)
    assert 0 < len(findings) < endings["found"]
    assert findings.folder is not None
    what = json.loads((findings.folder / "finding-1.json").read_text())
    assert what["what"].startswith("LookupError: stumbled over version")
    assert f"--seed {SEED} --conversation" in what["where"]
    assert (findings.folder / "finding-1.client.bin").stat().st_size > 14


def test_a_conversation_held_again_goes_as_it_went_in_its_campaign(findings: Findings, monkeypatch: pytest.MonkeyPatch):
    """Faults count what they strike, over many conversations; so what came before it belongs to it."""
    take = Exchange.responses
    answers: list[tuple[int, list[bytes]]] = []

    def listening(self: Exchange, buffer: bytearray, start: int, end: int) -> Step:
        step = take(self, buffer, start, end)
        answers.append((step.end, [bytes(each) for each in step.pieces]))
        return step

    def told(number: int, choices: tuple[Setup, ...]) -> list[tuple[int, list[bytes]]]:
        answers.clear()
        campaign.hold(SEED, number, choices, findings, Counter())
        return list(answers)

    monkeypatch.setattr(Exchange, "responses", listening)
    shared = setups()
    in_campaign = [told(number, shared) for number in range(300)]
    number = next(each for each, then in enumerate(in_campaign) if told(each, setups()) != then)
    campaign.again(SEED, number, findings)
    assert answers[-len(in_campaign[number]) :] == in_campaign[number]


def changing_a_byte(take: Callable[[Exchange, bytearray, int, int], Step]) -> object:
    def changed(self: Exchange, buffer: bytearray, start: int, end: int) -> Step:
        step = take(self, buffer, start, end)
        if step.pieces and len(step.pieces[-1]) > 20:
            step.pieces[-1] = bytes(step.pieces[-1][:-1]) + b"\xa5"
        return step

    return changed


def test_a_byte_that_changes_on_its_way_is_found(findings: Findings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Exchange, "requests", changing_a_byte(Exchange.requests))
    campaign.run(2000, SEED, findings)
    assert any("did not pass byte for byte" in what for what in findings.kinds)


def test_a_conversation_without_an_end_is_found(findings: Findings, monkeypatch: pytest.MonkeyPatch):
    def spin(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(campaign, "CPU_SECONDS", 0.2)
    monkeypatch.setattr(Exchange, "requests", spin)
    campaign.hold(SEED, 1, setups(), findings, Counter())
    assert any(what.startswith("Hung") for what in findings.kinds)


def test_memory_that_grows_is_found(findings: Findings, monkeypatch: pytest.MonkeyPatch):
    kept: list[bytes] = []
    take = Exchange.requests

    def leaking(self: Exchange, buffer: bytearray, start: int, end: int) -> Step:
        kept.append(b"\xa5" * 50_000)
        return take(self, buffer, start, end)

    monkeypatch.setattr(Exchange, "requests", leaking)
    monkeypatch.setattr(campaign, "_SHORTEST", 1000)
    campaign.run(8000, SEED, findings)
    assert any(what.startswith("memory grew by") for what in findings.kinds)


def test_the_command_ends_with_1_where_something_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    arguments = ["--seed", str(SEED), "--conversation", "3", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "nothing found" in capsys.readouterr().out

    def broken(*_: object) -> None:
        raise LookupError("broken")

    monkeypatch.setattr(Exchange, "requests", broken)
    assert main(arguments) == 1
    assert "--conversation 3" in capsys.readouterr().out
