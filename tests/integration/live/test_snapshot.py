"""`tracer snapshot` of real programs."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import Program
from tests.support.validator.strict import read_strict
from tracer import cli
from tracer import schema as s
from tracer.live import client

TIMEOUT_S = 120


@pytest.fixture(params=["file", "flight"])
def program(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Program]:
    options = ("--flight", "60s", "--snapshots", "ring") if request.param == "flight" else ()
    with Program(tmp_path, *options) as running:
        yield running


only_of_files = pytest.mark.parametrize("program", ["file"], indirect=True)


def written(program: Program, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert cli.main(["snapshot", str(program.pid), "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def reasons(trace: Path) -> list[str]:
    events = read_strict(trace.read_bytes()).events
    return [str(e.args[s.ARG_REASON]) for e in events if e.name == s.SNAPSHOT]


def test_snapshot_has_everything_before_it(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    program.line("work")
    answer = written(program, capsys)
    trace = Path(answer["file"])
    ring = program.trace.parent / "ring"
    assert trace.parent == (ring if ring.is_dir() else program.trace.parent)
    assert trace.stat().st_size == answer["bytes"]
    assert reasons(trace)[-1] == "tracer snapshot"
    names = [e.name for e in read_strict(trace.read_bytes()).events]
    assert s.THREAD_EXIT in names
    program.line("work")  # it goes on


def test_output(program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine, other = tmp_path / "mine.pftrace", tmp_path / "mine.txt"
    assert written(program, capsys, "-o", str(mine))["file"] == str(mine)
    assert reasons(mine)[-1] == "tracer snapshot"
    assert cli.main(["snapshot", str(program.pid), "-o", str(tmp_path / "no/such")]) == 1
    assert "no directory" in capsys.readouterr().err
    other.write_text("not a trace")
    assert cli.main(["snapshot", str(program.pid), "-o", str(other)]) == 1
    assert "is not a trace" in capsys.readouterr().err
    assert other.read_text() == "not a trace"
    assert cli.main(["snapshot", str(program.pid), "-o", str(other), "--force"]) == 0
    assert capsys.readouterr().out.endswith(f"Next: tracer report {other}\n")


@only_of_files
def test_output_is_no_recording(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a recording is being written to stays its file, even with --force."""
    inode = program.trace.stat().st_ino
    for words in ((), ("--force",)):
        assert cli.main(["snapshot", str(program.pid), "-o", str(program.trace), *words]) == 1
        assert "a program is being recorded into it" in capsys.readouterr().err
    assert program.trace.stat().st_ino == inode


@only_of_files
def test_file_of_the_recording_is_gone(
    program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program.trace.unlink()
    before = set(tmp_path.iterdir())
    assert cli.main(["snapshot", str(program.pid)]) == 1
    assert "somebody deleted or replaced the file" in capsys.readouterr().err
    assert set(tmp_path.iterdir()) == before


def test_one_that_hangs_up_does_not_stop_the_next(
    program: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(program.socket))
            connection.sendall(b"snapshot\n")
    capsys.readouterr()
    while cli.main(["snapshot", str(program.pid), "--json"]):
        assert "another snapshot is being written" in capsys.readouterr().err
    assert reasons(Path(json.loads(capsys.readouterr().out)["file"]))


def test_a_path_is_not_taken_from_the_request(program: Program, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(TIMEOUT_S)
        connection.connect(str(program.socket))
        connection.sendall(f"snapshot {tmp_path}/chosen.pftrace\n".encode())
        assert connection.recv(99) == b"refused this command is not known\n"
    assert not (tmp_path / "chosen.pftrace").exists()


def test_mode(program: Program) -> None:
    about = client.ask(client.address_of(str(program.pid)), "recording")
    assert about["mode"] == ("file" if program.trace.exists() else "flight")
