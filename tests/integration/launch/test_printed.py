"""That a program has printed into a pipe is told once: its text may stay in a buffer."""

from tests.conftest import Recorder
from tests.support.family import events
from tracer import schema as s

PRINTS = """\
import subprocess, sys

def child(code, output):
    subprocess.run([sys.executable, "-c", code], stdout=output, check=True)

child("print(1)\\nprint(2)", subprocess.PIPE)
child("print(3)", subprocess.DEVNULL)
child("import sys\\nsys.stdout.write('4')", subprocess.PIPE)
child("import sys\\nprint(5, file=sys.stderr)", subprocess.PIPE)
"""


def test_the_first_text_for_a_pipe(record: Recorder) -> None:
    """Once in each process, and only of its standard output."""
    trace = record(PRINTS, options=("--no-cpu", "--no-sched"))
    sites = [str(event.args[s.ARG_SITE]) for event in events(trace, s.PRINTED)]
    assert sorted(sites) == ["<string>:1 <module>", "<string>:2 <module>"]
