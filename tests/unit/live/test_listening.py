"""The pipe to the process that answers HTTP."""

import os
from pathlib import Path

from tracer.live.listening import Listening


def test_a_file_with_the_number_of_the_pipe(tmp_path: Path) -> None:
    """A program that closes all descriptors has its own files under these numbers: they get no
    byte, and stay open."""
    reader, writer = os.pipe()
    listening = Listening(writer, reader, -1)
    listening.tell("before")
    assert os.read(reader, 100) == b"before\0"
    file = os.open(tmp_path / "own", os.O_RDWR | os.O_CREAT)
    for fd in (reader, writer):
        os.dup2(file, fd)
    listening.tell("x.pftrace")
    listening.close()
    assert (tmp_path / "own").read_bytes() == b""
    for fd in (reader, writer, file):
        os.close(fd)
