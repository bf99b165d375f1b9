"""The kinds as users say them: `clusters`, `cluster`, `Cluster`, `vc`."""

from __future__ import annotations

from appliance.cli.endings import BadInputError
from appliance.resources.kinds import PLURALS

_SHORT = {"vc": "virtualclusters"}


def plural_of(word: str) -> str:
    """Return the plural that the API uses. Raises BadInputError."""
    lower = word.lower()
    if lower in _SHORT:
        return _SHORT[lower]
    for plural, kind in PLURALS.items():
        if lower in {plural, kind.lower()}:
            return plural
    raise BadInputError(f"unknown kind {word!r}: expected one of {', '.join(PLURALS)}")
