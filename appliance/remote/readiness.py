"""What `tidegate serve --ready-file` writes once everything is open."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class OpenListener(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: str
    virtual_cluster: str
    bootstrap: str
    """What clients put into bootstrap.servers."""


class Readiness(BaseModel):
    """The file is this, as JSON; it appears whole and goes when the gateway ends."""

    model_config = ConfigDict(frozen=True)

    pid: int
    api: str | None
    """URL of the control API, if there is one."""
    token_file: Path | None
    """Where the API's token is; None: in the environment."""
    metrics: str | None = None
    """URL of the metrics that need no token, where they have a port of their own."""
    listeners: list[OpenListener]
