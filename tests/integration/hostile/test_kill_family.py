"""Processes of a running family die by SIGKILL at random moments: every file stays readable,
and whoever was not killed has recorded to its end."""

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.launching import wait_until
from tests.support.validator.rules import validate
from tests.support.validator.strict import read_strict
from tracer import schema as s

FAMILIES, KILLS = 20, 10
LATEST_KILL_S = 0.05
TIMEOUT_S = 120

# Keeps four workers busy, starts another for each that dies, and prints the pid of each. When
# its stdin ends, or it dies itself, the workers end by themselves.
PROGRAM = """\
import os, select, sys, threading, time

def work():
    lock = threading.Lock()
    def take():
        for _ in range(100):
            with lock:
                time.sleep(0)
    while not select.select([until], [], [], 0)[0]:
        threads = [threading.Thread(target=take) for _ in range(2)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()

def start():
    pid = os.fork()
    if pid == 0:
        os.close(alive)
        work()
        os._exit(0)
    print(pid, flush=True)
    return pid

until, alive = os.pipe()
workers = {start() for _ in range(4)}
while not select.select([0], [], [], 0.001)[0]:
    pid, _ = os.waitpid(-1, os.WNOHANG)
    if pid:
        workers.remove(pid)
        workers.add(start())
os.close(alive)
while workers:
    workers.remove(os.wait()[0])
"""


@pytest.mark.kill
@pytest.mark.invalid_traces  # a child's file may be torn: each is validated by itself
@pytest.mark.parametrize("seed", range(FAMILIES))
def test_killed_processes_leave_their_traces(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    program, trace = tmp_path / "p.py", tmp_path / "family.pftrace"
    program.write_text(PROGRAM)
    run = ["-m", "tracer", "run", "--no-profile", "--no-cpu", "-o", str(trace), str(program)]
    with subprocess.Popen(
        [sys.executable, *run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        workers = [int(first.stdout.readline()) for _ in range(4)]
        killed = set[int]()
        for _ in range(KILLS):
            with contextlib.suppress(subprocess.TimeoutExpired):
                first.wait(chance.uniform(0, LATEST_KILL_S))
            victim = chance.choice(sorted(set(workers) - killed))
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
            workers.append(int(first.stdout.readline()))
        if seed % 2:
            first.kill()
            killed.add(first.pid)
        first.stdin.close()
        first.wait(TIMEOUT_S)
    for worker in workers:
        wait_until(lambda path=Path(f"/proc/{worker}"): not path.exists())  # type: ignore[misc]

    files = [trace, *Path(f"{trace}.d").glob("*.pftrace")]
    found = [read_strict(path.read_bytes()) for path in files if path.stat().st_size]
    begun = {e.process.pid for each in found for e in each.events if e.name == s.RECORDING}
    ended = {
        e.process.pid for each in found for e in each.events if e.name == s.RECORDING_ENDED
    }
    everyone = {first.pid, *workers}
    assert len(workers) == 4 + KILLS
    assert begun <= everyone
    assert everyone - killed <= begun
    assert ended == everyone - killed
    for path in files:
        if path.stat().st_size:
            validate(path.read_bytes())
    assert len(files) == 1 or seed % 2
