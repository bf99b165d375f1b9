"""From a distinguished name to a principal's name: Kafka's ssl.principal.mapping.rules, in its syntax."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

DEFAULT = "DEFAULT"
_RULE = re.compile(r"RULE:((?:\\.|[^\\/])*)/((?:\\.|[^\\/])*)/([LU]?)", re.DOTALL)
_REFERENCE = re.compile(r"\\(.)|\$(\d)", re.DOTALL)
_NAMED_GROUP = re.compile(r"(?<!\\)\(\?<(?=[A-Za-z])")
"""Java's (?<name>...), which is (?P<name>...) here."""


@dataclass(frozen=True, slots=True)
class PrincipalRule:
    """One rule: the default, or a pattern for the whole name, its replacement and a change of case."""

    text: str
    pattern: re.Pattern[str] | None = None
    replacement: str = ""
    case: Literal["", "L", "U"] = ""

    def apply(self, distinguished_name: str) -> str | None:
        """Return the principal's name, None where the rule does not apply.

        As Kafka does it: the whole name must match, then every occurrence of the pattern is replaced.
        """
        if self.pattern is None:
            return distinguished_name
        if not self.pattern.fullmatch(distinguished_name):
            return None
        name = self.pattern.sub(self._replaced, distinguished_name)
        return name.lower() if self.case == "L" else name.upper() if self.case == "U" else name

    def _replaced(self, match: re.Match[str]) -> str:
        """Return the replacement with its $1..$9 filled in; a $n without such a group stays as it is."""

        def filled(reference: re.Match[str]) -> str:
            literal, number = reference.groups()
            if literal is not None:
                return str(literal)
            if int(number) > match.re.groups:
                return reference[0]
            return match[int(number)] or ""

        return _REFERENCE.sub(filled, self.replacement)


def parse_rule(text: str) -> PrincipalRule:
    """Return one rule. Raises ValueError with what was expected."""
    if text.strip() == DEFAULT:
        return PrincipalRule(DEFAULT)
    match = _RULE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected DEFAULT or RULE:PATTERN/REPLACEMENT/[LU]; found {text!r}")
    pattern, replacement, case = match.groups()
    try:
        compiled = re.compile(_NAMED_GROUP.sub("(?P<", pattern), re.ASCII)  # \w and \d, as in Java
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"expected a regular expression in {text!r}; found that {error}") from None
    return PrincipalRule(text.strip(), compiled, replacement, case)  # type: ignore[arg-type]  # the syntax gives L, U


def parse_rules(texts: Iterable[str]) -> tuple[PrincipalRule, ...]:
    """Return all rules, in their order; the default alone where there are none. Raises ValueError."""
    return tuple(parse_rule(text) for text in texts) or (PrincipalRule(DEFAULT),)


def principal_name(distinguished_name: str, rules: Iterable[PrincipalRule]) -> str | None:
    """Return what the first rule that applies makes of the name; None where none does.

    Equal to Kafka's but for line ends in a name, which `.` matches here and not in Java.
    """
    for rule in rules:
        name = rule.apply(distinguished_name)
        if name is not None:
            return name
    return None
