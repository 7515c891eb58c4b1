"""The control socket: who may ask, and what it withstands."""

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import tracer
from tests.support.launching import wait_until
from tests.support.live import Program, folder
from tests.support.validator.strict import read_strict
from tracer import schema as s
from tracer.cli import main
from tracer.errors import TracerError
from tracer.live import client

TIMEOUT_S = 120
NOBODY = 65534
ADMITTED = 8  # connections at a time


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """One for all tests that leave it running."""
    with Program(tmp_path_factory.mktemp("program")) as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Program]:
    with Program(tmp_path) as running:
        yield running


def connect(program: Program) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(TIMEOUT_S)
    connection.connect(str(program.socket))
    return connection


def answer(connection: socket.socket) -> bytes:
    with connection:
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def test_modes(program: Program) -> None:
    for path, mode in ((program.socket.parent, 0o700), (program.socket, 0o600)):
        about = path.lstat()
        assert stat.S_IMODE(about.st_mode) == mode
        assert about.st_uid == os.geteuid()


def sockets(program: Program) -> set[int]:
    """Their numbers. Other files may come and go, as the recorder looks for its threads."""
    found = set()
    for file in Path(f"/proc/{program.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            if os.readlink(file).startswith("socket:"):
                found.add(int(file.name))
    return found


@pytest.mark.usefixtures("room")
def test_who_asks_changes_no_limit(own: Program) -> None:
    """A child that another thread starts at that moment would keep it: so the descriptor of a
    connection is one that the program can have, unlike those that stay."""
    _, hard = resource.prlimit(own.pid, resource.RLIMIT_NOFILE)
    # When this is answered, what stays open has been opened, and the limit is the program's.
    with connect(own) as connection:
        connection.sendall(b"recording\n")
        assert answer(connection)
    resource.prlimit(own.pid, resource.RLIMIT_NOFILE, (2000, hard))
    before, seen = sockets(own), set[int]()

    def is_admitted() -> bool:
        with connect(own):  # which is given up after some seconds
            for _ in range(100):
                time.sleep(0.001)
                # Its first number is a low one.
                seen.update(fd for fd in sockets(own) - before if fd >= 64)
                if seen:
                    return True
        return False

    wait_until(is_admitted)
    assert max(seen) < 2000
    assert resource.prlimit(own.pid, resource.RLIMIT_NOFILE) == (2000, hard)


def test_socket_is_removed_at_the_end(own: Program) -> None:
    assert own.socket.is_socket()
    own.end()
    assert not own.socket.exists()
    with pytest.raises(client.NotLiveError, match="not being recorded"):
        client.address_of(str(own.pid))


def test_who_it_is(program: Program) -> None:
    about = client.ask(client.address_of(str(program.pid)), "recording")
    assert (about["schema"], about["pid"], about["mode"]) == (1, program.pid, "file")
    assert about["file"] == str(program.trace)
    assert about["python"] == "{}.{}.{}".format(*sys.version_info[:3])
    assert (
        client.ask(client.address_of(str(program.socket)), "recording")["pid"] == program.pid
    )


@pytest.mark.parametrize(
    ("request_", "reply"),
    [
        (b"nonsense\n", b"refused this command is not known\n"),
        (b"\n", b"refused this command is not known\n"),
        (b"metrics ../../../etc/passwd\n", b"refused this command is not known\n"),
        (b"metrics\0\n", b"ok "),
        (b"%s%n\x1b]0;\x07\n", b"refused this command is not known\n"),
        (b"x" * 4096, b"refused the request is too long\n"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"refused this command is not known\n"),
    ],
    ids=["unknown", "empty", "arguments", "nul", "odd", "long", "http"],
)
def test_odd_requests(program: Program, request_: bytes, reply: bytes) -> None:
    connection = connect(program)
    connection.sendall(request_)
    assert answer(connection).startswith(reply)
    assert client.ask(client.address_of(str(program.pid)), "recording")["pid"] == program.pid


def test_endless_request_is_refused(program: Program) -> None:
    connection = connect(program)
    with pytest.raises((BrokenPipeError, ConnectionResetError)):  # noqa: PT012 - some round
        while True:
            connection.sendall(b"x" * 65536)
    connection.close()


def test_a_request_in_pieces_is_one(program: Program) -> None:
    connection = connect(program)
    for byte in b"recording\n":
        connection.sendall(bytes([byte]))
    assert answer(connection).startswith(b"ok ")


def test_200_connections_that_say_nothing_harm_nobody(program: Program) -> None:
    """Those that are admitted are dropped in time, and the others wait their turn."""
    before, silent = program.descriptors(), []
    for _ in range(200):
        connection = socket.socket(socket.AF_UNIX)
        connection.setblocking(False)
        silent.append(connection)
        try:
            connection.connect(str(program.socket))
        except BlockingIOError:  # no room to wait in
            break
    program.line("work")  # the program goes on meanwhile
    for connection in silent:
        connection.close()
    assert client.ask(client.address_of(str(program.pid)), "recording")["pid"] == program.pid
    assert program.descriptors() <= before + ADMITTED


def test_one_that_hangs_up_early_harms_nobody(program: Program) -> None:
    for _ in range(20):
        connection = connect(program)
        connection.sendall(b"metrics\n")
        connection.close()
    assert client.ask(client.address_of(str(program.pid)), "metrics")["pid"] == program.pid


def test_a_forked_child_does_not_answer_for_its_parent(program: Program) -> None:
    """It is recorded, and answers for itself."""
    child = int(program.line("fork"))
    assert client.ask(client.address_of(str(program.pid)), "recording")["pid"] == program.pid
    assert client.ask(client.address_of(str(child)), "recording")["pid"] == child
    connection = connect(program)
    connection.sendall(b"recording\n")
    assert answer(connection).startswith(b"ok ")  # closed by all who had it
    program.line("reap")
    with pytest.raises(client.NotLiveError):
        client.address_of(str(child))
    assert client.ask(client.address_of(str(program.pid)), "recording")["pid"] == program.pid


def test_a_connection_does_not_live_on_in_a_child(program: Program) -> None:
    """Its end would never come: a child that is not recorded has nobody who closes it."""
    connection = connect(program)
    connection.sendall(b"recor")
    program.line("fork")
    connection.sendall(b"ding\n")
    assert answer(connection).startswith(b"ok ")
    program.line("reap")


def test_what_a_killed_program_left_is_removed(own: Program) -> None:
    own.kill()
    assert own.socket.is_socket()
    with pytest.raises(client.NotLiveError, match="has ended"):
        client.ask(client.address_of(str(own.pid)), "recording")
    assert not own.socket.exists()


def test_what_a_killed_program_left_is_replaced(tmp_path: Path) -> None:
    """The same pid again."""
    with left_socket(folder() / f"{os.getpid()}.sock"):
        with tracer.recording(tmp_path / "t.pftrace"):
            address = client.address_of(str(os.getpid()))
            assert client.ask(address, "recording")["pid"] == os.getpid()
        assert not (folder() / f"{os.getpid()}.sock").exists()


class left_socket:
    """A socket file at which nobody listens."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(str(path))
        self.path = path

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)


def test_one_that_answers_is_not_replaced(tmp_path: Path) -> None:
    """Another process with this pid, in another pid namespace that shares the folder."""
    path = folder() / f"{os.getpid()}.sock"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        inode = path.stat().st_ino
        with tracer.recording(tmp_path / "t.pftrace"):
            assert path.stat().st_ino == inode
        assert path.stat().st_ino == inode
    path.unlink()


# --- folders that are not safe ---


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own XDG_RUNTIME_DIR, and no other place for sockets."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    only = [str(tmp_path / "tracer")]
    monkeypatch.setattr("tracer.live.control.folders", lambda: only)
    monkeypatch.setattr("tracer.live.client._places", lambda: only)
    return tmp_path


def unsafe_symlink(path: Path) -> None:
    (path.parent / "elsewhere").mkdir(mode=0o700)
    path.symlink_to("elsewhere")


def unsafe_mode(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def unsafe_owner(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder of another user: run as root")
    path.mkdir(mode=0o700)
    os.chown(path, NOBODY, NOBODY)


def unsafe_file(path: Path) -> None:
    path.touch()


@pytest.mark.parametrize("make", [unsafe_symlink, unsafe_mode, unsafe_owner, unsafe_file])
def test_unsafe_folder_is_not_used(runtime: Path, make: Any) -> None:
    """The recording goes on without a socket, and nobody asks there."""
    make(runtime / "tracer")
    with tracer.recording(runtime / "t.pftrace"):
        with pytest.raises(TracerError):
            client.ask(client.address_of(str(os.getpid())), "recording")
        assert list(runtime.glob("*/*.sock")) == []
    events = read_strict((runtime / "t.pftrace").read_bytes()).events
    (said,) = [event.args for event in events if event.args.get(s.ARG_HOOK) == "control"]
    assert str(runtime / "tracer") in str(said[s.ARG_REASON])


def test_symlinked_socket_is_not_asked(runtime: Path, program: Program) -> None:
    (runtime / "tracer").mkdir(mode=0o700)
    (runtime / "tracer" / "77.sock").symlink_to(program.socket)
    with pytest.raises(client.NotLiveError, match="is not a socket"):
        client.ask(client.address_of("77"), "recording")


@pytest.mark.parametrize(
    "name", ["x.sock", "1.sock.sock", "-1.sock", "٣.sock", ".5.sock", "5"]
)
def test_other_names_are_not_asked(runtime: Path, name: str) -> None:
    (runtime / "tracer").mkdir(mode=0o700)
    (runtime / "tracer" / name).touch()
    assert list(client.addresses()) == []


@pytest.mark.parametrize("target", ["../1", "x", "1 2", "", "٣", "-1"])
def test_odd_targets_are_refused(target: str) -> None:
    with pytest.raises(client.NotLiveError):
        client.ask(client.address_of(target), "recording")


def test_another_user_is_refused(program: Program) -> None:
    """Even one who got at the socket, past the folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user: run as root")
    other = (
        "import os, socket, sys\n"
        "folder = os.open(sys.argv[1], os.O_RDONLY)\n"
        "s = socket.socket(socket.AF_UNIX)\n"
        "os.chmod(f'/proc/self/fd/{folder}/{sys.argv[2]}', 0o666)\n"
        "os.chmod(sys.argv[1], 0o711)\n"
        "os.fchdir(folder)\n"
        f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "s.connect(sys.argv[2])\n"
        "s.sendall(b'recording\\n')\n"
        "print(s.recv(999).decode(), end='')\n"
    )
    path = program.socket
    done = subprocess.run(
        [sys.executable, "-c", other, path.parent, path.name],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    path.parent.chmod(0o700)
    assert done.stdout == "refused this recording is another user's\n"


def test_a_program_that_closes_every_descriptor(own: Program) -> None:
    """It no longer answers, and nothing is written into what it opens in their place."""
    with connect(own) as connection:
        connection.sendall(b"recor")
        own.line("close_all")
        own.line("work")
        own.end()
    opened = [path.stat().st_size for path in own.trace.parent.glob("opened*")]
    assert opened == [0] * 200


@pytest.mark.stress
def test_slow_ones_are_dropped(program: Program) -> None:
    """Those that have not said what they want for 10 s."""
    slow = [connect(program) for _ in range(ADMITTED)]
    for connection in slow:
        connection.sendall(b"recor")
    assert client.ask(client.address_of(str(program.pid)), "recording")["pid"] == program.pid
    for connection in slow:
        assert answer(connection) == b""


def test_a_stopped_program(
    own: Program, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named at once, and once, and answers when it goes on."""
    monkeypatch.setattr(client, "LOOK_S", 0.01)
    address = client.address_of(str(own.pid))
    os.kill(own.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, own.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(TracerError, match=f"process {own.pid} is stopped, by a signal"):
        client.ask(address, "snapshot", timeout_s=60)
    assert main(["ps"]) == 0
    lines = capsys.readouterr().err.splitlines()
    said = [line for line in lines if f"process {own.pid} " in line]
    assert said == [
        f"tracer: process {own.pid} is stopped, by a signal or a debugger, and cannot answer. "
        f"`kill -CONT {own.pid}` lets it go on."
    ]
    os.kill(own.pid, signal.SIGCONT)
    assert client.ask(address, "recording", timeout_s=60)["pid"] == own.pid


def test_no_control(tmp_path: Path) -> None:
    with Program(tmp_path, "--no-control") as program:
        assert not program.socket.exists()
