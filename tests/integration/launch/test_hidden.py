"""Parts of the recorder that a program could notice, and of the program that stay hidden."""

import os
import resource
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import tracer
from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.launching import Case, compare
from tests.support.validator.rules import validate
from viewer.analysis.report import heading
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

GC = """\
import gc, sys
seen = []
def first(phase, info): seen.append(("first", phase, sorted(info)))
def second(phase, info): seen.append(("second", phase, info["generation"]))
def fails(phase, info): raise ValueError(phase)
print(gc.callbacks)
gc.disable()
gc.callbacks.extend([first, fails, second])
gc.collect(1)
gc.callbacks.remove(first)
gc.collect()
gc.callbacks.clear()
gc.collect()
print(seen, gc.callbacks, gc.get_referrers(gc.callbacks) == [vars(gc)])
ours = [o for o in gc.get_objects() if isinstance(o, list) and "on_gc" in repr(o)]
print(ours)
"""
DESCRIPTORS = """\
import os
print(*sorted(map(int, os.listdir("/proc/self/fd"))))
"""


@pytest.mark.skipif(
    bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
    reason="shown in gc.callbacks where there is no GIL",
)
def test_gc_callbacks(tmp_path: Path) -> None:
    """The program's callbacks are called as usual, and it finds no others."""
    plain, traced = compare(Case("gc", ("prog.py",), {"prog.py": GC}), tmp_path)
    assert traced == plain
    assert "[] " in plain.stdout  # gc.callbacks, in the end


def test_collections_are_recorded_all_the_same(record: Recorder) -> None:
    trace = record("import gc; gc.disable(); gc.collect(0); gc.collect(1); gc.collect()")
    names = validate(trace.read_bytes()).names
    for generation in range(3):  # on the thread's track and on that of collections
        assert names[f"GC gen{generation}"] >= 2


COLLECT = """\
import gc, inspect, sys
def show(what): print(what, what.__self__, what.__doc__, inspect.signature(what))
before = gc.collect
show(before)
gc.callbacks.append(lambda phase, info: gc.collect())  # in a collection: does nothing
print(before is gc.collect, gc.collect(generation=0) >= 0, gc.collect(2) >= 0)
for arguments in ((9,), (1, 2), ("x",)):
    try:
        gc.collect(*arguments)
    except Exception as error:
        print(repr(error))
"""


def test_gc_collect(tmp_path: Path) -> None:
    """It is wrapped, and looks and works as before."""
    plain, traced = compare(Case("gc", ("prog.py",), {"prog.py": COLLECT}), tmp_path)
    assert traced == plain
    assert "invalid generation" in plain.stdout


def test_a_recording_that_ends_in_a_gc_callback(tmp_path: Path) -> None:
    """Every callback is called once for each phase, and gc.callbacks stays the program's."""
    source = """
import gc, tracer
gc.disable()
seen = []
def stops(phase, info):
    seen.append("stops")
    tracer.stop()
def counts(phase, info): seen.append("counts")
mine = gc.callbacks
mine += [stops, counts]
for name in ("a.pftrace", "b.pftrace"):
    tracer.start(name, signals=["gc"])
    gc.collect()
    gc.collect()
assert seen == ["stops", "counts"] * 8, seen
assert gc.callbacks is mine == [stops, counts]
"""
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


OURS = 6  # the trace, the control socket, and what is counted: memory, threads, descriptors …


@pytest.mark.parametrize("limit", [80, 256, 1024, 4096])
def test_descriptors(record: Recorder, limit: int) -> None:
    """We open a few, the control socket among them, and one for each CPU; above 64 if there
    is room."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    cpus = os.sysconf("SC_NPROCESSORS_CONF")
    if 64 + OURS + cpus > limit:
        pytest.skip("so many CPUs need more descriptors")
    become = (
        "import os, resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({limit}, {hard})); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    run = ["-m", "tracer", "run", "--no-profile", "-o", "a.pftrace", "-c", DESCRIPTORS]

    def shown(command: list[str]) -> set[int]:
        done = subprocess.run(
            [sys.executable, "-c", become, *command],
            cwd=record.directory,
            capture_output=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=True,
        )
        return set(map(int, done.stdout.split()))

    ours = shown(run) - shown(["-c", DESCRIPTORS])
    assert 1 <= len(ours) <= OURS + cpus
    assert min(ours) >= 64


SECRET = ("--password", "hunter2", "API_KEY=hunter2", "postgres://me:hunter2@host/db", "--n=1")


def test_secrets_are_masked(record: Recorder) -> None:
    """They are hidden in the file and the report; the program gets them."""
    trace = record("import sys; print(sys.argv[1:])", *SECRET)
    assert record.stdout == f"{[*SECRET]}\n"
    data = trace.read_bytes()
    assert b"hunter2" not in data
    assert b"postgres://me:***@host/db" in data
    argv = heading(build_model(read_trace(trace))).argv
    assert argv[1:] == (
        "--password",
        "***",
        "API_KEY=***",
        "postgres://me:***@host/db",
        "--n=1",
    )


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("prog.py", "me", "--n=1"), ("prog.py",)),
        (("-m", "prog", "me", "--n=1"), ("-m", "prog")),
        (("-c", "print('me')", "me"), ("-c",)),
    ],
)
def test_without_arguments(
    record: Recorder, words: tuple[str, ...], shown: tuple[str, ...]
) -> None:
    (record.directory / "prog.py").write_text("print('me')")
    trace = record.directory / "a.pftrace"
    done = record.tracer("run", "--no-argv", "--no-profile", "-o", str(trace), *words)
    assert done.stdout == "me\n"
    assert heading(build_model(read_trace(trace))).argv == shown
    assert b"--n=1" not in trace.read_bytes()


def test_of_the_programs_own_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["prog", *SECRET])
    path = tmp_path / "a.pftrace"
    with tracer.recording(path, signals=["threads"]):
        pass
    assert b"hunter2" not in path.read_bytes()
    assert b"API_KEY=***" in path.read_bytes()
    with tracer.recording(path, signals=["threads"], argv=False):
        pass
    assert heading(build_model(read_trace(path))).argv == ("prog",)
