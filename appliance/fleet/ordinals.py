"""A count that several processes share: each call is one more, and tells how many there have been in all.

The count is the size of a memory file (it comes to a worker over the link). Whoever counts appends one byte: the kernel
appends under the file's lock, so that no two processes get the same place and none is left out, and where the byte came
to lie is the position of the process's own file description. A process that is killed in between leaves nothing behind.
The file grows by a byte for each counted request (36 MB in an hour at 10,000 a second) and goes with the fault.

Rejected: dividing `first: 3` among the workers beforehand, as connections, and so requests, are not divided evenly; a
lock around a number in shared memory, as a worker that is stopped while it has the lock stops all others; the offset of
a shared file description, moved by `lseek(fd, 1, SEEK_CUR)`, as Linux 6.18 was seen to lose one in ten thousand.
"""

from __future__ import annotations

import os
import weakref


class SharedOrdinal:
    """Has one descriptor of the count; the count goes on as long as any process has one."""

    def __init__(self, descriptor: int) -> None:
        """Join the count whose descriptor came from another process; it stays the caller's."""
        self._fd = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._fd)

    @classmethod
    def make(cls) -> SharedOrdinal:
        """Return a new count, at 0."""
        descriptor = os.memfd_create("tidegate-ordinal", os.MFD_CLOEXEC)
        try:
            return cls(descriptor)
        finally:
            os.close(descriptor)

    def fileno(self) -> int:
        """Return the descriptor, to be sent to another process."""
        return self._fd

    def __call__(self) -> int:
        """Count one more."""
        os.write(self._fd, b"\0")
        return os.lseek(self._fd, 0, os.SEEK_CUR)
