"""A child's keeper: runs one command and makes sure that it does not outlive us, however we end.

Run as a file, with nothing but the standard library: `python -I -S guardian.py COMMAND...`. It starts COMMAND and then
obeys its standard input: each byte is the number of a signal to deliver to the child; the end of input means that the
parent is gone (or has let go), and the child is killed. It ends when the child has ended, with the child's exit status,
128 + n for signal n.

Why a process and not `prctl(PR_SET_PDEATHSIG)` in the child alone: that signal comes when the *thread* that forked
dies, and trio forks in worker threads. A pipe is closed by the kernel at the death of the process, by kill -9 too,
and SIGKILL reaches a child that SIGSTOP holds. Here, where the only thread forks, PDEATHSIG is right, and covers
the guardian's own death. Signals go through the guardian because it alone can know that the pid is still the
child's: it has not reaped it yet.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys

_PR_SET_PDEATHSIG = 1


def _die_with_guardian(guardian: int) -> None:
    """In the child, before exec."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != guardian:  # it died between fork and prctl
            os._exit(128 + signal.SIGKILL)


def main(command: list[str]) -> int:
    """Run the command; return its exit status."""
    # The terminal's Ctrl-C is for the parent, which ends its children in its own order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # the wakeup pipe is written only where a handler is set
    guardian = os.getpid()
    try:
        child = subprocess.Popen(  # noqa: S603  # the command is the lab's own
            command,
            stdin=subprocess.DEVNULL,
            preexec_fn=lambda: _die_with_guardian(guardian),  # noqa: PLW1509  # one thread only: see above
        )
    except OSError as error:
        print(f"guardian: {error}", file=sys.stderr)  # noqa: T201  # goes to the child's log
        return 127
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin, ended], [], [])
        if ended in readable:
            os.read(ended, 512)
        if sys.stdin in readable:
            orders = os.read(sys.stdin.fileno(), 64)
            for number in orders:
                child.send_signal(number)
            if not orders:
                child.kill()
                child.wait()
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
