"""A program that is recorded and does what a test tells it to, line by line."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

TIMEOUT_S = 120

# Each command is answered by one line.
SOURCE = """
import os, sys, threading
children = []
def work():
    done = threading.Thread(target=len, args=("",))
    done.start()
    done.join()
    return "worked"
def fork():
    reads, writes = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(writes)
        os.read(reads, 1)  # until the parent closes its end
        sys.exit()
    os.close(reads)
    children.append((pid, writes))
    return pid
def reap():
    pid, writes = children.pop()
    os.close(writes)
    return os.waitpid(pid, 0)[1]
opened = []
def close_all():
    os.closerange(3, 4096)
    names = (f"opened{number}" for number in range(200))
    opened.extend(open(name, "w+") for name in names)
    for at, file in enumerate(opened):  # where ours were
        os.dup2(file.fileno(), 900 + at)
    return "closed"
print("ready", flush=True)
for line in sys.stdin:
    print(globals()[line.strip()](), flush=True)
"""


def folder() -> Path:
    """Where the sockets of the tests' programs are."""
    return Path(os.environ["XDG_RUNTIME_DIR"]) / "tracer"


class Program:
    """`with Program(tmp_path) as program:` it runs and waits for commands; then it ends."""

    def __init__(self, directory: Path, *options: str, source: str = SOURCE) -> None:
        self.trace = directory / "live.pftrace"
        script = directory / "live.py"
        script.write_text(source)
        output = () if "--flight" in options else ("--no-profile", "-o", str(self.trace))
        run = ["run", *output, *options, str(script)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tracer", *run],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self.socket = folder() / f"{self.pid}.sock"
        self.stderr = ""

    def __enter__(self) -> Self:
        assert self._answer() == "ready", self.process.communicate()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def line(self, command: str) -> str:
        """Its answer to the command."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.end(-signal.SIGKILL)

    def end(self, expect: int = 0) -> None:
        """Closes its stdin and waits for it."""
        if self.process.returncode is not None:
            return
        _, self.stderr = self.process.communicate(timeout=TIMEOUT_S)
        assert self.process.returncode == expect, self.stderr
