"""The writer goes on in a program that forks all the time, which ends its thread each time."""

from tests.conftest import Recorder

# As fast as it can, until the writer has written; longer than its longest period else.
FORKS = """\
import os, sys, time

def written():
    return os.stat(sys.argv[1]).st_size

began, forks, until_s = written(), 0, time.monotonic() + 1
while written() == began and (forks < 100 or time.monotonic() < until_s):
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    forks += 1
print(written() > began)
"""


def test_forks_often(record: Recorder) -> None:
    trace = record.directory / "recorded0.pftrace"
    record(FORKS, str(trace), options=("--no-follow",))
    assert record.stdout == "True\n"
