"""What must hold of a switch with the remedies on."""

from __future__ import annotations

from tests.switching.rows import Row

RECOVERY_SECONDS = 5.0
"""The heartbeat interval of every library in the matrix is 3 s by default, so this is the longer of the two."""


def broken(row: Row) -> list[str]:
    """Return what must hold of a row and does not, in words."""
    found = damage(row)
    if row.act != "unplanned":
        if row.stable is None:
            found.append(f"not stable within {row.looked_at:.0f} s")
        elif row.stable > RECOVERY_SECONDS:
            found.append(f"stable after {row.stable:.1f} s")
    return found


def damage(row: Row) -> list[str]:
    """Return what is wrong with records, and with the process."""
    found = [row.ended] if row.ended else []
    if row.skipped:
        found.append(f"{row.skipped} skipped")
    if row.out_of_order:
        found.append(f"{row.out_of_order} out of order")
    if row.act == "unplanned":
        if row.lost != row.unreplicated:
            found.append(f"{row.lost} lost, of which replication had not carried {row.unreplicated}")
        return found
    if row.lost:
        found.append(f"{row.lost} lost")
    if row.duplicated:
        found.append(f"{row.duplicated} duplicated")
    if row.redelivered_committed:
        found.append(f"{row.redelivered_committed} redelivered though committed")
    return found
