"""What the soak and its users agree on: names, sizes, and what is handed over in the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

ORDERS, PAYMENTS = "orders", "payments"
"""Plain records, and records in transactions."""
PARTITIONS = {ORDERS: 6, PAYMENTS: 3}
VALUE_BYTES = 300
CLUSTER = "soak"
LEDGER, USERS = "ledger.jsonl", "users.json"
"""What the users leave."""
_VARIABLE = "TIDEGATE_SOAK"


@dataclass(frozen=True)
class Brief:
    """What the users are told."""

    run: str
    """Marks this run's records."""
    seconds: float
    """For how long to write; reading to the end comes after that."""
    rate: int
    """Records a second, all writers together."""
    results: Path
    """Folder for what they leave."""

    def environment(self) -> dict[str, str]:
        """Return this as a variable for the users' process."""
        return {_VARIABLE: json.dumps(asdict(self), default=str)}

    @classmethod
    def from_environment(cls) -> Brief:
        """Read it back there."""
        values = json.loads(os.environ[_VARIABLE])
        return cls(**{**values, "results": Path(values["results"])})
