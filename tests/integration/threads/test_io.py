"""Blocking calls: shown once each, named as the programmer wrote them, at any layer."""

import inspect
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.recordings import record_here
from tests.support.validator.slices import Slice
from tests.support.waiting import until_it_sleeps_in
from tracer import schema as s
from tracer.signals import io

SIGNALS = ("gil", "io")


def io_slices(
    run: Callable[[], object], path: Path, signals: tuple[str, ...] = SIGNALS
) -> list[Slice]:
    """What the calling thread was blocked in."""
    summary, _ = record_here(run, path, signals=signals)
    lane = summary.lanes[os.getpid(), threading.get_native_id()]
    return [each for each in lane.slices if each.begin.category in (s.CAT_IO, s.CAT_SLEEP)]


def blocking_read(seconds: float = 0.03) -> None:
    r, w = os.pipe()
    caller = threading.current_thread()

    def write() -> None:
        until_it_sleeps_in(caller, "blocking_read", "read")
        time.sleep(seconds)
        os.write(w, b"x")

    writer = threading.Thread(target=write)
    writer.start()
    os.read(r, 1)
    writer.join()
    os.close(r)
    os.close(w)


@pytest.mark.parametrize("signals", [SIGNALS, ("io",)])
def test_read(tmp_path: Path, signals: tuple[str, ...]) -> None:
    """One slice has the site and the bytes received, even where the GIL is not watched."""
    (read,) = [
        each
        for each in io_slices(blocking_read, tmp_path / "t.pftrace", signals)
        if each.name == "io: os.read"
    ]
    assert str(read.args[s.ARG_SITE]).endswith(" blocking_read")
    assert read.args[s.ARG_BYTES] == 1
    if "gil" in signals:
        assert isinstance(read.args[s.ARG_FD], int)


@pytest.mark.parametrize("signals", [SIGNALS, ("io",)])
def test_read_through_a_buffer(tmp_path: Path, signals: tuple[str, ...]) -> None:
    """What a buffer reads from its socket is told once, with its bytes."""

    caller = threading.current_thread()

    def send(to: socket.socket) -> None:
        until_it_sleeps_in(caller, "readinto", "recv_into")
        to.send(b"a line\n")

    def run() -> None:
        a, b = socket.socketpair()
        with a, b, a.makefile("rb") as lines:
            sender = threading.Thread(target=send, args=(b,))
            sender.start()
            lines.readline()
            sender.join()

    slices = io_slices(run, tmp_path / "t.pftrace", signals)
    sizes = [each.args[s.ARG_BYTES] for each in slices if s.ARG_BYTES in each.args]
    assert [each.args.get(s.ARG_BYTES) for each in slices if "recv_into" in each.name] == [7]
    assert sizes == [7]


def test_socket_select_and_sleep(tmp_path: Path) -> None:
    """Each call has the name that its users know."""

    caller = threading.current_thread()

    def send(to: socket.socket, *call: str) -> None:
        until_it_sleeps_in(caller, "run", *call)
        to.send(b"xyz")

    def run() -> None:
        a, b = socket.socketpair()
        c, d = socket.socketpair()
        with a, b, c, d:
            sender = threading.Thread(target=send, args=(b, "select"))
            sender.start()
            select.select([a], [], [])
            sender.join()
            sender = threading.Thread(target=send, args=(d, "recv"))
            sender.start()
            c.recv(16)
            sender.join()
        time.sleep(0.01)

    names = [each.name for each in io_slices(run, tmp_path / "t.pftrace")]
    assert names.count("io: select.select") == 1
    assert names.count("io: socket.recv") == 1
    assert names.count("sleep") == 1


@pytest.mark.parametrize("signals", [SIGNALS, ("io",)])
def test_a_time_limit(tmp_path: Path, signals: tuple[str, ...]) -> None:
    """A call that ends with an exception says with which; the program gets it as it was."""

    def run() -> None:
        a, b = socket.socketpair()
        with a, b:
            a.settimeout(0.05)
            with pytest.raises(TimeoutError, match="timed out"):
                a.recv(16)
            b.send(b"xyz")
            assert a.recv(16) == b"xyz"

    slices = io_slices(run, tmp_path / "t.pftrace", signals)
    ends = [each.args.get(s.ARG_EXCEPTION) for each in slices if "recv" in each.name]
    assert ends[0] == "TimeoutError"
    assert not any(ends[1:])


def test_unknown_functions_are_learned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libc's name at first; the callee's from the next time its line blocks, also where it is
    written while it lasts."""
    monkeypatch.setattr(
        io, "CALLS", {name: row for name, row in io.CALLS.items() if name != "posix"}
    )

    def run() -> None:
        for seconds in (0.03, 0.03, 0.25, 0.03):
            blocking_read(seconds)
            time.sleep(0.001)  # a call that is known: names are looked up on its way out

    names = [
        each.name
        for each in io_slices(run, tmp_path / "t.pftrace")
        if each.name.endswith("read")
    ]
    assert names == ["io: read", *["io: posix.read"] * 3]


def test_nothing_of_fast_calls(tmp_path: Path) -> None:
    """Calls too short to notice leave no slice."""

    def run() -> None:
        with open("/dev/zero", "rb", buffering=0) as zero:
            for _ in range(1000):
                zero.read(1)

    assert len(io_slices(run, tmp_path / "t.pftrace")) < 100


def test_functions_are_as_before(tmp_path: Path) -> None:
    """A trampoline is invisible to the program, and gone afterwards."""
    before = (os.read, repr(os.read), inspect.signature(os.read))

    def run() -> None:
        assert (os.read, repr(os.read), inspect.signature(os.read)) == before
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.read(10_000, 1)
        with pytest.raises(TypeError):
            os.read()  # type: ignore[call-arg]

    record_here(run, tmp_path / "t.pftrace")


def test_a_long_wait_for_the_own_process(tmp_path: Path) -> None:
    """Over TCP; a pair of Unix sockets has no address to tell."""
    server = socket.create_server(("127.0.0.1", 0))
    caller = threading.current_thread()

    def answer() -> None:
        connection, _ = server.accept()
        with connection:
            until_it_sleeps_in(caller, "run", "recv")
            time.sleep(0.2)
            connection.sendall(b"x")

    def run() -> None:
        thread = threading.Thread(target=answer)
        thread.start()
        with socket.create_connection(server.getsockname()) as client:
            client.recv(1)
        thread.join()
        a, b = socket.socketpair()
        with a, b:
            b.settimeout(0.15)
            with pytest.raises(TimeoutError):
                b.recv(1)

    slices = io_slices(run, tmp_path / "t.pftrace")
    server.close()
    own, other = [each for each in slices if each.name == "io: socket.recv"]
    assert own.args[s.ARG_OWN_PEER]
    assert s.ARG_OWN_PEER not in other.args


def test_waits_for_descriptors_whose_time_is_over(tmp_path: Path) -> None:
    """The last one ends since there is something to read; a sleep has no descriptor."""
    r, w = os.pipe()
    both = select.poll()
    both.register(r, select.POLLIN)
    epoll = select.epoll()
    epoll.register(r, select.EPOLLIN)
    caller = threading.current_thread()

    def run() -> None:
        both.poll(30)
        epoll.poll(0.03)
        select.select([r], [], [], 0.03)
        select.select([], [], [], 0.03)

        def write() -> None:
            until_it_sleeps_in(caller, "run", "poll")
            os.write(w, b"x")

        writer = threading.Thread(target=write)
        writer.start()
        both.poll(30_000)
        writer.join()

    slices = [each for each in io_slices(run, tmp_path / "t.pftrace") if "elect." in each.name]
    epoll.close()
    for end in (r, w):
        os.close(end)
    *over, read = [bool(each.args.get(s.ARG_TIMED_OUT)) for each in slices]
    assert over == [True] * 4
    assert not read
    fds = [each.args.get(s.ARG_FD) for each in slices]
    assert fds[0] == fds[-1] == r
    assert isinstance(fds[1], int)


def test_files_are_synced(tmp_path: Path) -> None:
    """In an executable at a fixed address, as Debian's Python is, these functions have the
    address of a stub."""

    def main() -> None:
        with open(tmp_path / "file", "wb") as file:
            os.fsync(file.fileno())
            os.fdatasync(file.fileno())

    record_here(main, tmp_path / "t.pftrace")
    main()  # nor is anything left of the hooks
