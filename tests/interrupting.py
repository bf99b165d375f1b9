"""How a long run is ended from outside, before its time."""

import signal


def end_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: what it started is stopped, and nothing is judged or written.

    Also where SIGINT is ignored, as a shell has it for the jobs in its background: trio heeds none that is ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
