"""Real PostgreSQL and redis on loopback, each in a folder of its own that goes with it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_S = 120
_NOBODY = "nobody"  # PostgreSQL refuses root


class NotInstalled(Exception):
    """Says what to install."""


def _command(name: str, package: str) -> str:
    found = shutil.which(name)
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        found = found or shutil.which(name, path=str(folder))
    if found is None:
        raise NotInstalled(f"needs {name}: apt-get install {package}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Not below pytest's, which only the user of the tests may enter."""
    with tempfile.TemporaryDirectory(prefix="tracer-server-") as name:
        if os.geteuid() == 0:
            shutil.chown(name, _NOBODY)
        yield Path(name)


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    user = _NOBODY if os.geteuid() == 0 else None
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=user,
            extra_groups=[] if user else None,
            start_new_session=True,
        )


@contextlib.contextmanager
def _running(command: list[str], log: Path, port: int, stop: signal.Signals) -> Iterator[None]:
    server = _start(command, log)
    try:
        deadline = time.monotonic() + START_S
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not answer: {log.read_text()[-2000:]}")
            time.sleep(0.01)
        yield
    finally:
        server.send_signal(stop)
        server.wait(START_S)


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of a database; no password."""
    initdb, server = (_command(name, "postgresql") for name in ("initdb", "postgres"))
    with _folder() as folder:
        data, log, port = str(folder / "data"), folder / "log", free_port()
        options = ["-A", "trust", "-U", "postgres", "--no-sync", "--no-instructions"]
        made = _start([initdb, "-D", data, *options], log)
        if made.wait(START_S):
            raise RuntimeError(f"initdb failed: {log.read_text()[-2000:]}")
        settings = {
            "fsync": "off",
            "listen_addresses": "127.0.0.1",
            "port": str(port),
            "unix_socket_directories": "",
        }
        command = [server, "-D", data, *(f"--{k}={v}" for k, v in settings.items())]
        with _running(command, log, port, signal.SIGINT):  # a fast shutdown
            url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
            _await_postgres(log)
            yield url


def _await_postgres(log: Path) -> None:
    """It accepts connections before it answers them."""
    deadline = time.monotonic() + START_S
    while "ready to accept connections" not in log.read_text():
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL does not start: {log.read_text()[-2000:]}")
        time.sleep(0.01)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """The URL of an empty server that writes nothing to disk."""
    server = _command("redis-server", "redis-server")
    with _folder() as folder:
        port = free_port()
        options = {"bind": "127.0.0.1", "port": str(port), "save": "", "dir": str(folder)}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with _running([server, *words], folder / "log", port, signal.SIGTERM):
            yield f"redis://127.0.0.1:{port}/0"
