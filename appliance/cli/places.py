"""Where things are when the user does not say."""

from __future__ import annotations

import os
from pathlib import Path


def default_state_dir() -> Path:
    """Return `$XDG_STATE_HOME/tidegate`, `~/.local/state/tidegate` where that is not set."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "tidegate"
