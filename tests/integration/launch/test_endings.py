"""Nothing is lost if a program bypasses Python's shutdown, or becomes another program."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import tracer
from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.launching import TIMEOUT_S, Case, compare, script, wait_until
from tests.support.validator.rules import Summary, validate
from tracer import schema as s
from viewer.analysis.endings import End, How, end_of
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

BEGIN = "import ctypes, os, signal, sys, threading, tracer\ntracer.log('last')\n"
BURN = """\
import time
until = time.thread_time() + 0.2
while time.thread_time() < until: pass
"""
IN_THREAD = """\
def work():
    tracer.log('in the thread')
    {ending}
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""
# Like uvicorn: its handler notes the signal; when all is served, it sends it again.
SERVICE = """\
caught = []
before = signal.signal(signal.SIGTERM, lambda number, frame: caught.append(number))
os.kill(os.getpid(), signal.SIGTERM)
tracer.log('served')
signal.signal(signal.SIGTERM, before)
for number in reversed(caught):
    signal.raise_signal(number)
tracer.log('never')
"""
ENDINGS = {
    "os._exit": ("os._exit(7)", 7),
    "os._exit, by name": ("os._exit(status=7)", 7),
    "os._exit, in a thread": (IN_THREAD.format(ending="os._exit(7)"), 7),
    "os._exit, in atexit": ("import atexit; atexit.register(os._exit, 7)", 7),
    "os._exit, in a handler": (
        "signal.signal(10, lambda *_: os._exit(7)); signal.raise_signal(10)",
        7,
    ),
    "os._exit, after an error": ("try: 1 / 0\nexcept ZeroDivisionError: os._exit(7)", 7),
    "os.abort": ("os.abort()", -signal.SIGABRT),
    "a service": (SERVICE, -signal.SIGTERM),
    "raise_signal": ("signal.raise_signal(signal.SIGHUP)", -signal.SIGHUP),
    "os.kill": ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    "os.kill, SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    "os.kill, group": ("os.setpgid(0, 0); os.kill(0, signal.SIGTERM)", -signal.SIGTERM),
    "os.killpg": ("os.setpgid(0, 0); os.killpg(os.getpgrp(), 15)", -signal.SIGTERM),
    "pthread_kill": (
        "signal.pthread_kill(threading.get_ident(), signal.SIGTERM)",
        -signal.SIGTERM,
    ),
}
GOES_ON = {
    "os._exit of what is no number": "try: os._exit('seven')\nexcept TypeError: pass",
    "os._exit of a large number": "try: os._exit(1 << 40)\nexcept OverflowError: pass",
    "os._exit of a forked child": "if os.fork() == 0: os._exit(3)\nos.wait()",
    "a signal for a handler": "signal.signal(15, lambda *_: 0); os.kill(os.getpid(), 15)",
    "a signal that is ignored": "signal.signal(15, signal.SIG_IGN); signal.raise_signal(15)",
    "a signal that is blocked": (
        "signal.pthread_sigmask(signal.SIG_BLOCK, [15]); signal.raise_signal(15); "
        "os.kill(os.getpid(), 15); signal.sigwait([15]); signal.sigwait([15])"
    ),
    "a signal that does nothing": "os.kill(os.getpid(), signal.SIGCHLD)",
    "no signal": "os.kill(os.getpid(), 0); os.kill(0, 0)",
    "no such signal": "try: signal.raise_signal(1000)\nexcept Exception: pass",
    "no such process": "try: os.kill(1 << 30, 15)\nexcept ProcessLookupError: pass",
    "exec of what is missing": "try: os.execv('/nowhere', ['x'])\nexcept OSError: pass",
    "exec of no program": (
        "open('text', 'w').write('x'); os.chmod('text', 0o755)\n"
        "try: os.execve(path='text', argv=['text'], env={})\nexcept OSError: pass"
    ),
    "exec with bad arguments": "try: os.execv(sys.executable, [])\nexcept ValueError: pass",
    "exec of no path": "try: os.execv(7, 'x')\nexcept TypeError: pass",
}


def ended(trace: Path) -> End:
    found = read_trace(trace)
    return end_of(found.processes[0], found.live)


def logs(found: Summary) -> list[str]:
    return [log.name for log in found.user.logs]


@pytest.mark.parametrize("name", ENDINGS)
def test_it_is_ended_first(record: Recorder, name: str) -> None:
    """The trace has the last moment, and its end; the recorder's line comes; so does the
    status."""
    ending, status = ENDINGS[name]
    trace = record(BEGIN + ending, expect=status)
    found = validate(trace.read_bytes())
    assert found.names[s.RECORDING_ENDED] == 1
    assert "last" in logs(found)
    assert "never" not in logs(found)
    assert ("served" in logs(found)) == (name == "a service")
    assert ("in the thread" in logs(found)) == ("thread" in ending and "work" in ending)
    (told,) = [line for line in record.stderr.splitlines() if line.startswith("tracer: ")]
    assert told.endswith(f"-> {trace}. Next: tracer report {trace}")


@pytest.mark.parametrize("name", GOES_ON)
def test_it_goes_on(record: Recorder, name: str) -> None:
    """Calls that only look like the end do not end the recording."""
    trace = record(BEGIN + GOES_ON[name] + "\ntracer.log('afterwards')\n")
    found = validate(trace.read_bytes())
    assert logs(found) == ["last", "afterwards"]
    assert ended(trace).how is How.ENDED


def test_a_signal_for_another_thread(record: Recorder) -> None:
    """Whether it ends the process or that thread holds it back, everything is written."""
    trace = record(
        BEGIN
        + """
ready, over = threading.Event(), threading.Event()

def blocks():
    signal.pthread_sigmask(signal.SIG_BLOCK, [15])
    ready.set()
    over.wait()

thread = threading.Thread(target=blocks)
thread.start()
ready.wait()
signal.pthread_kill(thread.ident, 15)
tracer.log("afterwards")
over.set()
thread.join()
"""
    )
    assert logs(validate(trace.read_bytes())) == ["last", "afterwards"]
    trace = record(
        BEGIN
        + """
thread = threading.Thread(target=signal.pause, daemon=True)
thread.start()
signal.pthread_kill(thread.ident, 15)
thread.join()
""",
        expect=-signal.SIGTERM,
    )
    assert "last" in logs(validate(trace.read_bytes()))


@pytest.mark.parametrize(
    "call",
    [
        "os.execv(sys.executable, [sys.executable, '-c', 'print(5)'])",
        "os.execve(sys.executable, [sys.executable, '-c', 'print(5)'], os.environ)",
        "os.execve(env=os.environ, argv=[sys.executable, '-c', 'print(5)'], "
        "path=sys.executable)",
        "os.execvp(sys.executable, [sys.executable, '-c', 'print(5)'])",
        "os.execl(os.fsencode(sys.executable), sys.executable, '-c', 'print(5)')",
    ],
)
def test_exec(record: Recorder, call: str) -> None:
    """The trace has the last moment, and says what the process became; so does the line."""
    trace = record(BEGIN + call, options=("--no-follow",))
    assert record.stdout == "5\n"
    found = validate(trace.read_bytes())
    assert logs(found) == ["last"]
    assert ended(trace) == End(
        found.processes[0],
        How.REPLACED,
        f"the program (pid {found.processes[0]}) became {sys.executable} (exec): "
        "what it did from then on is not recorded.",
    )
    (told,) = record.stderr.splitlines()
    assert f", then exec of {sys.executable} -> {trace}. Next: tracer report {trace}" in told


def test_exec_of_a_descriptor(record: Recorder) -> None:
    trace = record(
        BEGIN
        + "os.execve(os.open(sys.executable, 0), ['python', '-c', 'print(5)'], os.environ)"
    )
    assert record.stdout == "5\n"
    assert ended(trace).how is How.REPLACED


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 15)"])
def test_a_recording_of_the_programs_own(tmp_path: Path, ending: str) -> None:
    """tracer.start() takes the same care."""
    source = BEGIN + f"tracer.start('own.pftrace')\ntracer.log('last')\n{ending}"
    subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, timeout=PROGRAM_TIMEOUT_S, check=False
    )
    trace = tmp_path / "own.pftrace"
    assert ended(trace).how is How.ENDED
    assert logs(validate(trace.read_bytes())) == ["last"]


def implementation(function: object) -> int:
    """The C function behind a builtin: PyCFunctionObject.m_ml->ml_meth."""
    table = ctypes.c_void_p.from_address(id(function) + object.__basicsize__).value
    assert table
    return ctypes.c_void_p.from_address(table + ctypes.sizeof(ctypes.c_void_p)).value or 0


def test_hooks_are_taken_back(tmp_path: Path) -> None:
    """After the recording the functions are as they were."""
    functions = [
        *(os._exit, os.abort, os.execv, os.execve, os.kill, os.killpg),
        *(signal.raise_signal, signal.pthread_kill),
    ]
    before = [implementation(function) for function in functions]
    with tracer.recording(tmp_path / "a.pftrace", signals=["threads"]):
        assert not {implementation(function) for function in functions} & set(before)
        os.kill(os.getpid(), 0)
    assert [implementation(function) for function in functions] == before


def test_two_threads_end_it(tmp_path: Path) -> None:
    """Several threads stop the recording at the same time: it is stopped once."""
    path = tmp_path / "a.pftrace"
    for _ in range(50):
        tracer.start(path, signals=["threads"])
        together = threading.Barrier(4)
        found: list[object] = []

        def stop(together: threading.Barrier = together, found: list[object] = found) -> None:
            together.wait(TIMEOUT_S)
            found.append(tracer.stop())

        threads = [threading.Thread(target=stop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(totals is not None for totals in found) == 1
        assert ended(path).how is How.ENDED


@pytest.mark.invalid_traces
def test_a_file_that_was_cut_by_hand(tmp_path: Path, record: Recorder) -> None:
    """It may have been a kill: the message claims nothing that cannot be known."""
    trace = record("print(1)")
    trace.write_bytes(trace.read_bytes()[:-40])
    found = ended(trace)
    assert found.how is How.UNKNOWN
    assert "a crash ended the program" in found.text
    assert "or the file was cut off: by hand, by a copy made too early" in found.text


@pytest.mark.parametrize("function", ["settrace", "setprofile"])
@pytest.mark.parametrize(
    "ending",
    [
        "os._exit(7)",
        "signal.raise_signal(15)",
        "os.execv(sys.executable, [sys.executable, '-c', 'print(5)'])",
    ],
)
def test_a_trace_function_does_not_see_it(tmp_path: Path, function: str, ending: str) -> None:
    """The program's debugger or profiler does not see our code that runs then."""
    source = f"""\
import os, signal, sys
def watch(frame, event, argument):
    os.write(1, f"{{event}} {{frame.f_code.co_name}} {{frame.f_code.co_filename}}\\n".encode())
sys.{function}(watch)
{ending}
"""
    plain, traced = compare(script("watched", source), tmp_path)
    assert traced == plain


def test_a_module_of_the_programs_own_is_not_loaded(tmp_path: Path) -> None:
    """Before the program begins, the recorder has loaded what it needs at the end."""
    names = ("output", "recorder", "api", "units", "errors", "_core", "secrets")
    loud = "import os; os.write(1, b'loaded ' + __name__.encode())"
    package = {f"tracer/{name}.py": loud for name in ("__init__", *names)}
    plain, traced = compare(
        Case("own", ("prog.py",), {"prog.py": BURN, **package}), tmp_path, "--profile"
    )
    assert traced == plain
    wait_until((tmp_path / "out.cpu.pprof").exists)
