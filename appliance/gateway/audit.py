"""The audit trail of the gateway: one line for everyone who came in, did not, or was sent away."""

from __future__ import annotations

import logging

_trail = logging.getLogger("tidegate.audit")


def audit(event: str, **fields: object) -> None:
    """Write one line; fields that are None are left out. Nothing in it may be a secret."""
    said = {name: value for name, value in fields.items() if value is not None}
    text = ", ".join(f"{name} {_shown(value)}" for name, value in said.items())
    _trail.info("%s: %s", event, text, extra={"event": event, "fields": said})


def _shown(value: object) -> str:
    """Return a value that cannot look like more than one: names come from whoever connects."""
    text = str(value)
    return text if text.isprintable() and len(text) <= 500 else ascii(text[:500])
