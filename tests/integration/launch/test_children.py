"""Child processes are in the trace of who started them, without secrets, whatever started
them; nothing else changes for the program."""

import sys
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.launching import compare, script
from tests.support.validator.rules import validate
from tests.support.validator.strict import read_strict
from tracer import schema as s
from viewer.analysis.children import children
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.render.text.overview import overview
from viewer.render.text.tables import Style
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

STARTS = """\
import os, pathlib, pty, subprocess, sys

def forked():
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    pid, fd = pty.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

def python():
    here = [sys.executable, "-S"]
    subprocess.run([*here, "-Wignore", "-W", "error", "-c", "\\nimport os; x = 'secret-1'"])
    subprocess.run([*here, "-m", "this", "--key=secret-2"], stdout=subprocess.DEVNULL)
    subprocess.run([*here, pathlib.Path("/dev/null"), "secret-3"])
    subprocess.run([*here, "-"], input=b"")

def others():
    subprocess.run(["true", "secret-4"], preexec_fn=lambda: None)
    subprocess.run([b"/bin/true"], env={"KEY": "secret-5"})
    subprocess.run([pathlib.Path("/bin/true")])
    subprocess.run(["zz"], executable="/bin/true")
    subprocess.run("KEY=secret-6 true", shell=True)
    subprocess.run("true secret-7", shell=True)
    os.system("true; false")
    print(os.system(command="exit 3"))
    os.waitpid(os.posix_spawn("/bin/true", ["true", "secret-8"], os.environ), 0)
    os.waitpid(os.posix_spawnp("true", ("true",), os.environ, setsid=False), 0)

def refused():
    for call in (
        lambda: subprocess.run(["/nowhere/at-all"]),
        lambda: subprocess.run([]),
        lambda: subprocess.run([7]),
        lambda: os.posix_spawn("/nowhere", ["x"], {}),
        lambda: os.posix_spawn("/bin/true", [], {}),
        lambda: os.system(b"a\\0b"),
        lambda: os.system(),
        lambda: os.fork(1),
    ):
        try:
            call()
        except Exception as error:
            print(type(error).__name__, error)

forked(); python(); others(); refused()
"""
COMMANDS = {
    "forked": [("fork", ""), ("fork", "")],
    "python": [
        ("spawn", "python{} -c import os"),
        ("spawn", "python{} -m this"),
        ("spawn", "python{} null"),
        ("spawn", "python{}"),
    ],
    "others": [
        ("spawn", "true"),
        ("spawn", "true"),
        ("spawn", "true"),
        ("spawn", "zz"),
        ("spawn", "sh -c"),
        ("spawn", "sh -c true"),
        ("spawn", "sh -c true"),
        ("spawn", "sh -c exit"),
        ("spawn", "true"),
        ("spawn", "true"),
    ],
}
SERVES = """\
import subprocess, sys, time

def reload():
    return subprocess.run([sys.executable, "-S", __file__, "serve"]).returncode

if sys.argv[1:] == ["serve"]:
    sys.exit(3)
sys.exit(reload())
"""


def test_they_are_recorded(record: Recorder) -> None:
    """Kind, command and line of each; no argument but the module or script."""
    trace = record(STARTS, options=("--no-cpu", "--no-follow"))
    found = children(build_model(read_trace(trace)))
    name = sys.executable.rpartition("/")[2].removeprefix("python")
    for function, expected in COMMANDS.items():
        rows = [row for row in found if row.site.endswith(f" {function}")]
        told = [(row.how, row.command) for row in rows for _ in range(row.count)]
        assert told == [(how, command.format(name)) for how, command in expected]
    total = sum(row.count for row in found)
    assert validate(trace.read_bytes()).names[s.SPAWN] == total - 2
    assert f", {total} child processes not recorded" in record.stderr
    assert b"secret-" not in trace.read_bytes()


FAILS = """\
import os, sys

def refuse(event, args):
    if event == "os.fork":
        raise OSError("no more processes")

sys.addaudithook(refuse)
try:
    os.fork()
except OSError as error:
    print(error)
"""
# The inner fork comes while the recorder's threads are away for the outer one.
AGAIN = """\
import os, time

def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)

def fork_again():
    global is_inner
    if not is_inner:
        is_inner = True
        fork()

def has_writer():
    names = []
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/comm") as comm:
                names.append(comm.read())
        except OSError:
            pass
    return "tracer-writer\\n" in names

is_inner = False
os.register_at_fork(after_in_parent=fork_again)
fork()
deadline = time.monotonic() + 60
while not has_writer() and time.monotonic() < deadline:
    time.sleep(0.001)
print(has_writer())
"""

# Each function around the outer fork forks once itself, the one in the child in the child.
NESTED = """\
import os, subprocess

def fork():
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)

def once(word):
    def start():
        if word in left:
            left.remove(word)
            outer, left[:] = left[:], []
            fork()
            subprocess.run(["true"], check=True)
            left[:] = outer
    return start

left = []
os.register_at_fork(
    before=once("before"), after_in_parent=once("parent"), after_in_child=once("child")
)
left[:] = ["before", "parent", "child"]
fork()
"""


@pytest.mark.parametrize("options", [(), ("--no-follow",)])
def test_a_fork_that_fails(record: Recorder, options: tuple[str, ...]) -> None:
    record(FAILS, options=options)
    assert record.stdout == "no more processes\n"


def test_a_fork_in_a_fork(record: Recorder) -> None:
    """The recorder's threads are there again after the outer one."""
    trace = record(AGAIN)
    assert record.stdout == "True\n"
    assert _forks_followed(trace) == [True] * 2


def test_forks_around_a_fork(record: Recorder) -> None:
    """Each leads to its own child; what is no Python does not take the arrow of the fork
    that it is within."""
    assert _forks_followed(record(NESTED)) == [True] * 4


def _forks_followed(trace: Path) -> list[bool]:
    """Of each fork whether it leads to the child that it names."""
    events = read_strict(trace.read_bytes()).events
    begun = {
        flow: event.process.pid
        for event in events
        if event.name == s.PROCESS_STARTED
        for flow in event.ends_flows
    }
    return [
        [begun.get(flow) for flow in event.flows] == [event.args[s.ARG_CHILD]]
        for event in events
        if event.name == s.FORK
    ]


def test_nothing_else_changes(tmp_path) -> None:
    """The same output, errors and statuses as under plain python."""
    plain, traced = compare(script("children", STARTS), tmp_path)
    assert plain == traced


@pytest.mark.parametrize("signals", [(), ("--no-io", "--no-gil", "--no-cpu")])
def test_a_reloader_is_not_without_fault(record: Recorder, signals: tuple[str, ...]) -> None:
    """A program whose child did all the work; whatever is recorded of it."""
    trace = record(SERVES, options=signals, expect=3)
    report = build_report(build_model(read_trace(trace)), By.CORO)
    said = overview(report, Style(120))
    assert "! 1 child process is not in this trace: `python" in said
    assert "program0.py` at program0.py:4 (-S)." in said
    assert "in this process; its children are not recorded." in said
