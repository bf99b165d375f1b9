"""No process of a lab outlives the one that opened it, however that ends."""

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import trio

from appliance.lab.processes import last_lines, start_guarded

PARENT = """
import signal, sys, trio
from pathlib import Path
from appliance.lab import ClusterPlan, LabPlan, open_lab

async def main():
    plan = LabPlan((ClusterPlan("running"), ClusterPlan("paused")))
    async with open_lab(plan, kind=sys.argv[1], directory=Path(sys.argv[2])) as lab:
        await lab.clusters["paused"].pause()
        print("ready", flush=True)
        await trio.sleep_forever()

signal.signal(signal.SIGINT, signal.default_int_handler)  # it may have been inherited as ignored
trio.run(main)
"""


def processes_of(directory: Path) -> list[psutil.Process]:
    """All processes that write into a lab's folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # it has just ended
            files = [str(entry.readlink()) for entry in Path(f"/proc/{process.pid}/fd").iterdir()]
            if any(file.startswith(str(directory)) for file in files):
                found.append(process)
    return found


def end_after_ready(kind: str, directory: Path, number: signal.Signals) -> tuple[list[psutil.Process], int]:
    """Open a lab in another process, end that with a signal; return the lab's processes and the exit status."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, kind, str(directory)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"ready\n"
        processes = processes_of(directory)
        parent.send_signal(number)
        return processes, parent.wait()


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        ("embedded", signal.SIGKILL),
        ("embedded", signal.SIGINT),
        ("embedded", signal.SIGTERM),
        pytest.param("apache", signal.SIGKILL, marks=pytest.mark.kafka),
    ],
)
def test_nothing_is_left_of_a_lab(kind, number, tmp_path):
    processes, status = end_after_ready(kind, tmp_path, number)
    assert len(processes) == 4, "a guardian and a broker for each cluster"
    assert status != 0
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    assert processes_of(tmp_path) == []


async def test_child_dies_with_its_guardian(tmp_path):
    log = tmp_path / "log"
    process = await start_guarded(["sh", "-c", "echo $$; exec sleep 600"], log)
    child = await pid_in(log)
    psutil.Process(child.ppid()).kill()
    await trio.to_thread.run_sync(child.wait, 30)
    await process.wait()


async def test_status_signals_and_end_are_the_childs(tmp_path):
    log = tmp_path / "log"
    process = await start_guarded(["sh", "-c", "exit 7"], log)
    assert await process.wait() == 7
    await process.send_signal(signal.SIGTERM)  # too late, and no error

    process = await start_guarded(["sleep", "600"], log)
    await process.send_signal(signal.SIGSTOP)
    await process.send_signal(signal.SIGCONT)
    assert await process.end(patience=30)
    assert process.returncode == 128 + signal.SIGTERM

    process = await start_guarded(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 1; done"], log)
    await pid_in(log)
    assert not await process.end(patience=0.1)
    assert process.returncode == 128 + signal.SIGKILL


async def test_a_command_that_is_not_there_is_in_the_log(tmp_path):
    process = await start_guarded(["/no/such/command"], tmp_path / "log")
    assert await process.wait() == 127
    assert "/no/such/command" in last_lines(tmp_path / "log")


def test_last_lines_of_a_log(tmp_path):
    log = tmp_path / "log"
    assert last_lines(log) == ""
    log.write_text("".join(f"{number}\n\n\tat java.lang.Frame\n" for number in range(100)))
    assert last_lines(log, 2) == "98\n99"


async def pid_in(log: Path) -> psutil.Process:
    """Wait until a child has written its pid."""
    while not (text := (await trio.Path(log).read_text()).strip()):
        await trio.lowlevel.checkpoint()
    return psutil.Process(int(text))
