"""A program with endpoints, and whoever asks it."""

import http.client
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import IO

TIMEOUT_S = 120


class Running:
    """A program that listens; its first line is the address."""

    def __init__(self, folder: Path, code: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *options, "-c", code],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self.line()

    def line(self) -> str:
        return self._out.readline().strip()

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def ask(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body. Raises OSError, or what http.client raises, when it breaks off."""
        connection = http.client.HTTPConnection(self.host, timeout=TIMEOUT_S)
        try:
            connection.request("GET", path, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def get(self, name: str) -> bytes:
        """The body of one of /debug/pprof/."""
        status, body = self.ask(f"/debug/pprof/{name}")
        assert status == 200, body
        return body

    @property
    def host(self) -> str:
        return self.address.split("/")[2]

    def server(self) -> int:
        """The pid of the process that answers."""
        wanted = ["viewer.endpoints.serve", f"\0{self.process.pid}\0"]
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                line = os.fsdecode(Path(f"/proc/{name}/cmdline").read_bytes())
            except OSError:
                continue
            if all(word in line for word in wanted):
                return int(name)
        raise AssertionError("nobody answers for this program")

    def end(self) -> str:
        """Lets it end; the rest of what it printed."""
        out, _ = self.process.communicate("\n", timeout=TIMEOUT_S)
        assert self.process.returncode == 0
        return str(out)


def until_gone(pid: int) -> None:
    """Waits for the end of a process that is not ours."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ready, _, _ = select.select([fd], [], [], TIMEOUT_S)
        assert ready, f"process {pid} lives on"
    finally:
        os.close(fd)
