"""The end of a long run from outside."""

import signal
import subprocess
import sys

import pytest

_RUN = """
import sys
import trio
from tests.interrupting import end_on_sigterm

async def run():
    print("runs", flush=True)
    await trio.sleep_forever()

end_on_sigterm()
try:
    trio.run(run)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("of_a_shell", [signal.SIG_DFL, signal.SIG_IGN], ids=["in-front", "in-the-background"])
def test_a_run_ends_at_sigterm_as_at_ctrl_c(of_a_shell: signal.Handlers):
    before = signal.signal(signal.SIGINT, of_a_shell)  # the child inherits what is ignored
    try:
        run = subprocess.Popen([sys.executable, "-c", _RUN], stdout=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    with run:
        assert run.stdout is not None
        assert run.stdout.readline() == "runs\n"
        run.terminate()
        assert run.wait(60) == 130
