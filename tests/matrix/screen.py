"""What the terminal shows: what each client is at, and the table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from tests.matrix.driver import Check
from tests.matrix.results import CheckResult, ClientResult, Matrix, Outcome
from tests.showing import Showing

_MARKS = {
    Outcome.PASSED: Text("yes", "green"),
    Outcome.FAILED: Text("NO", "bold red"),
    Outcome.UNSUPPORTED: Text("-", "dim"),
}


class Screen(Showing):
    """See Showing."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._doing: dict[str, str] = {}
        self.results: Mapping[str, ClientResult] = {}

    def tell(self, text: str) -> None:
        """Say what is being done."""
        if self._live is None:
            self._console.print(text, markup=False, highlight=False)
        else:
            self._spinner.update(text=text)
            self._live.update(Group(self._spinner, *self._lines()))

    def client(self, name: str, text: str) -> None:
        """Say what a client is at."""
        self._doing[name] = text
        if self._live is None:
            self._console.print(f"{name}: {text}", markup=False, highlight=False)
        else:
            self._spinner.update(text="clients at work")
            self._live.update(Group(self._spinner, *self._lines()))

    def _lines(self) -> list[Text]:
        return [
            Text.assemble(f"{name:<32}", *_marks(self.results[name].checks), " ", (text, "dim"))
            for name, text in self._doing.items()
            if name in self.results
        ]


def _marks(checks: Mapping[Check, CheckResult]) -> list[Text]:
    dots = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.UNSUPPORTED: "dim"}
    return [
        Text("●" if each.outcome is not Outcome.UNSUPPORTED else "·", dots[each.outcome]) for each in checks.values()
    ]


def table(matrix: Matrix) -> Group:
    """Return the result of a run, with the reasons of what failed below it."""
    if matrix.not_run is not None:
        return Group(Text(f"{matrix.listener}: not run: {matrix.not_run}", "yellow"))
    title = f"{'direct' if matrix.direct else 'through the gateway'}, {matrix.listener}, {matrix.minutes:.0f} min"
    found = Table("client", "version", *Check, "no stray socket", title=title)
    reasons: list[Text] = [Text(f"gateway: {each}", "red") for each in matrix.complaints]
    for client in matrix.clients:
        if client.not_run is not None:
            found.add_row(client.name, client.version, Text(f"not run: {client.not_run}", "yellow"))
            continue
        cells = [_MARKS[client.checks[each].outcome] if each in client.checks else Text("") for each in Check]
        strayed = (
            Text("?", "dim")
            if client.strayed is None
            else Text("NO" if client.strayed else "yes", "red" if client.strayed else "green")
        )
        found.add_row(client.name, client.version, *cells, strayed)
        reasons += [
            Text(f"{client.name}, {name}: {each.reason}")
            for name, each in client.checks.items()
            if each.outcome is Outcome.FAILED
        ]
    return Group(found, *reasons)
