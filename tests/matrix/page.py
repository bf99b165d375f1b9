"""`docs/clients.md`, written by the run itself: what was run, what each column proves, what was found."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import confluent_kafka

from tests.matrix.checks import FEW, MANY, PARTITIONS
from tests.matrix.driver import Check
from tests.matrix.results import CheckResult, ClientResult, Matrix, Outcome
from tests.matrix.running import ROOT

PAGE = ROOT / "docs" / "clients.md"
_LISTENERS = {"plain": "A plain listener", "tls-scram": "A listener with TLS and SASL/SCRAM-SHA-512"}

_BEHIND = "behind"
_PROOFS: Mapping[str, str] = {
    Check.PRODUCE: (
        f"{MANY} records with keys over {PARTITIONS} partitions: each is in the log once, where the client was told "
        "that it is"
    ),
    Check.GROUP: f"a group reads {MANY} records, each once",
    Check.COMMIT: (
        "a member reads half of them, commits and leaves; the next goes on exactly there; the brokers have the places"
    ),
    Check.REBALANCE: (
        "by the brokers' account a second member takes half of the partitions and gives them back when it leaves; it "
        "is delivered records, and every record that is written meanwhile is delivered to one of them"
    ),
    Check.TRANSACTIONS: (
        "an aborted transaction is in the log and unseen by committed readers, the client's own included; a committed "
        "one is seen"
    ),
    Check.ADMIN: "a topic is created, described as it is, and deleted",
    Check.NEW_GROUP: "the rebalance again, in a group that the brokers call one of the new protocol",
    Check.SHARE: f"a share group delivers {FEW} records; those that were accepted are not delivered again",
    _BEHIND: (
        "no socket of the client's processes was ever seen to lead to a broker, looked at ten times a second; in "
        "brackets: at how many of the gateway's ports they were seen"
    ),
}


def write(matrices: Sequence[Matrix]) -> Path:
    """Write the page; return where."""
    PAGE.write_text(text(matrices), encoding="utf-8")
    return PAGE


def versions(lab: Mapping[str, str]) -> dict[str, str]:
    """Return software -> version of what is not a client."""
    return {
        **lab,
        "python": platform.python_version(),
        "librdkafka of the independent reader": confluent_kafka.libversion()[0],
    }


def revision() -> str:
    """Return which state of the repository is run."""
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def text(matrices: Sequence[Matrix]) -> str:
    """Return the page."""
    first = matrices[0]
    around = ", ".join(f"{name} {number}" for name, number in first.versions.items())
    sections = "\n".join(_section(each) for each in matrices)
    columns = _table(["column", "proof"], [[column, proof] for column, proof in _PROOFS.items()])
    return f"""# Clients

<!-- Written by `make clients`; do not edit. -->

Each client, unmodified, through the gateway, before three Apache Kafka brokers. Run on {first.started:%Y-%m-%d},
revision {first.revision}, in {sum(each.minutes for each in matrices):.0f} minutes; {around}.

**yes**: proven by this run. **NO**: it failed, the notes say how. **-**: the library has nothing for it. A client that
was not run says why; it is not known to work.

{sections}
## What the columns prove

The clients are small programs written as their users would (`tests/matrix/programs`), or Kafka's own. What they say is
held against what the brokers say, asked around the gateway with another library.

{columns}

## Repeat it

    make clients
    .venv/bin/python -m tests.matrix --only franz-go --no-write
    .venv/bin/python -m tests.matrix --only franz-go --direct       # around the gateway: whose fault is it?

Needed for all rows: a JDK, Go, kcat, and Node.js with npm, a C++ compiler and the headers of libcurl, libsasl2 and
libzstd (on Debian: default-jdk, golang, kcat, nodejs, npm, g++, libcurl4-openssl-dev, libsasl2-dev, libzstd-dev). Every
library is locked (`requirements.lock`, and the lock files beside the programs) and installed once into the user's
cache.
"""


def _section(matrix: Matrix) -> str:
    if matrix.not_run is not None:
        return f"## {_LISTENERS[matrix.listener]}\n\nNot run: {_plain(matrix.not_run)}\n"
    head = ["client", "version", *Check, _BEHIND]
    rows = [_row(client) for client in matrix.clients]
    notes = [note for client in matrix.clients for note in _notes(client)]
    notes += [f"The gateway logged an error of its own: `{each}`" for each in matrix.complaints]
    listed = "\n".join(f"- {note}" for note in notes)
    return f"## {_LISTENERS[matrix.listener]}\n\n{_table(head, rows)}\n\n{listed}\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = (head, ["---"] * 2 + [":-:"] * (len(head) - 2), *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(client: ClientResult) -> list[str]:
    named = [client.name, client.version]
    if client.not_run is not None:
        return [*named, *["not run"] * (len(Check) + 1)]
    behind = "not looked" if client.strayed is None else f"{'**NO**' if client.strayed else 'yes'} ({client.doors})"
    return [*named, *(_cell(client.checks.get(each)) for each in Check), behind]


def _cell(result: CheckResult | None) -> str:
    if result is None:
        return "not run"
    return {Outcome.PASSED: "yes", Outcome.FAILED: "**NO**", Outcome.UNSUPPORTED: "-"}[result.outcome]


def _notes(client: ClientResult) -> list[str]:
    notes = []
    if client.remark:
        notes.append(f"{client.name}: {client.remark}")
    if client.not_run is not None:
        notes.append(f"{client.name}: not run: {client.not_run}")
    for check, result in client.checks.items():
        if result.reason:
            notes.append(f"{client.name}, {check}: {_plain(result.reason)}")
    if client.strayed:
        notes.append(f"{client.name} was seen connected to brokers, at ports {', '.join(map(str, client.strayed))}")
    return notes


def _plain(reason: str) -> str:
    """One line that Markdown leaves alone."""
    return " ".join(reason.split()).replace("|", "/").replace("<", "(").replace(">", ")")
