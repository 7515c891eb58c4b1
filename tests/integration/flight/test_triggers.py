"""Triggers of real programs: what fires, who is told, and whose snapshot it is."""

import json

import pytest

from tests.conftest import Recorder
from tests.support.flights import Runner, summary
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad


TRIGGERED = """
import asyncio, logging, threading, time
logging.basicConfig(format="%(name)s %(levelname)s %(message)s")
told = []
seen = threading.Event()

def on_event(event):
    told.append((threading.get_ident() != threading.main_thread().ident, event))
    seen.set()

async def handler():
    time.sleep(0.01)
    seen.wait(60)  # the loop is blocked until somebody was told

async def main():
    await asyncio.create_task(handler(), name="slow one")

tracer.stop()
tracer.flight("ring", seconds=5, on=["loop>1s"], on_event=on_event)
asyncio.run(main())
((on_another_thread, event),) = told
print(on_another_thread, event["trigger"], event["what"], event["lasts"], event["site"])
"""


def test_a_trigger_fires_while_the_loop_is_blocked(run: Runner, record: Recorder) -> None:
    """The snapshot shows the open step, the event and the log where it hangs."""
    printed = run(TRIGGERED)
    assert printed == "True loop>1s handler True <string>:15 handler\n"
    (path,) = run.ring.glob("*.pftrace")
    assert run.stderr.startswith("tracer WARNING loop>1s: handler for ")
    assert run.stderr.endswith(f" so far at <string>:15 handler -> {path}\n")
    told = json.loads(record.tracer("report", str(path), "--json").stdout)["trace"]["flight"]
    assert told["trigger"] == "loop>1s"
    assert told["reason"].endswith(" so far, at <string>:15 handler)")
    found = summary(path)
    (slow,) = [task for task in found.tasks.values() if task.name == "slow one"]
    assert slow.states[-1] == "running"
    assert slow.slices[-1].end is None
    why = record.tracer("why", str(path)).stdout
    assert why.startswith(
        "A slow moment, for which the snapshot was taken (loop>1s): handler,"
    )


ENDED = """
import asyncio, threading, time
told = []
seen = threading.Event()

def on_event(event):
    if event["what"] == "handler":
        told.append(event)
        seen.set()

async def handler():
    time.sleep(0.06)

async def main():
    while not seen.is_set():  # a busy machine may find another step long, and tell that first
        await asyncio.create_task(handler())
        await asyncio.to_thread(seen.wait, 1)

tracer.stop()
tracer.flight("ring", seconds=5, on=["loop>30ms"], cooldown=0, on_event=on_event)
asyncio.run(main())
print(told[0]["site"])
"""


def test_a_step_that_has_ended_says_its_line(run: Runner) -> None:
    """Whether its thread was asked in time, or the step was over when the recorder looked."""
    assert run(ENDED) == "<string>:14 handler\n"


NAMED = """
import threading, tracer
seen = threading.Event()
tracer.stop()
tracer.flight("ring", seconds=5, on=["region slow>1ms"], on_event=lambda event: seen.set())
with tracer.region("slow"):
    seen.wait(60)
tracer.snapshot("later.pftrace")
"""


def test_who_tells_has_a_name(run: Runner, record: Recorder) -> None:
    """It is no thread of the program's."""
    run(NAMED)
    model = build_model(read_trace(record.directory / "later.pftrace"))
    assert sorted(model.thread_names) == ["MainThread", "tracer"]


def test_at_the_end(record: Recorder) -> None:
    """By an exception; and at any end, which has all of the recording."""
    (record.directory / "app.py").write_text(f"{PATIENT}print(1 / 0)")
    said = {"exception": "exception (ZeroDivisionError)", "exit": "exit"}
    for condition, reason in said.items():
        folder = record.directory / condition
        options = ["--flight", "5s", "--on", condition, "--snapshots", str(folder)]
        done = record.tracer("run", *options, "app.py")
        assert done.returncode == 1
        (path,) = folder.iterdir()
        seen = {"exception": "ZeroDivisionError", "exit": "the program ends"}[condition]
        assert f"tracer: {condition}: {seen} -> {path}\n" in done.stderr
        assert f"1 snapshot, the last one {path}. Next: tracer report {path}" in done.stderr
        found = json.loads(record.tracer("report", str(path), "--json").stdout)
        assert found["trace"]["flight"]["reason"] == reason
        assert found["health"]["ends"][0]["how"] == "ended"


def test_moments_without_a_snapshot(record: Recorder) -> None:
    """They come too soon after one: counted, and said at the end and by the next snapshot."""
    (record.directory / "app.py").write_text(
        """
import time, tracer
for _ in range(4):
    with tracer.region("slow"):
        time.sleep(0.06)
"""
    )
    options = ["--flight", "5s", "--on", "region slow>50ms", "--on", "exit"]
    done = record.tracer("run", *options, "--cooldown", "1h", "app.py")
    moments = ", 3 more moments met a condition during the cooldown, 2 snapshots, "
    assert moments in done.stderr
    newest = done.stderr.rpartition(" ")[2].strip()
    said = " ".join(record.tracer("report", newest).stdout.split())
    assert "Since the previous snapshot, 3 more moments met a condition" in said
    told = json.loads(record.tracer("report", newest, "--json").stdout)["trace"]["flight"]
    assert (told["reason"], told["suppressed"]) == ("exit", 3)


# Who is to be told has a second at the end, which a busy machine may take for itself.
PATIENT = "import tracer.recorder; tracer.recorder._TOLD_MS = 60_000\n"
AT_THE_END = """
import threading, time
told = []

def on_event(event):
    told.append((threading.get_ident() != threading.main_thread().ident, event["what"]))
    tracer.stop()  # has to wait for nobody

tracer.stop()
tracer.flight("ring", seconds=5, on=["region slow>50ms"], on_event=on_event)
with tracer.region("slow"):
    time.sleep(0.06)
tracer.stop()
print(told)
"""


def test_a_moment_just_before_the_end(run: Runner) -> None:
    """Whoever is to be told is told before the recording has ended."""
    assert run(PATIENT + AT_THE_END) == "[(True, 'slow')]\n"
    (path,) = run.ring.glob("*.pftrace")
    assert run.stderr.startswith("tracer: region slow>50ms: slow for ")
    assert run.stderr.endswith(f" -> {path}\n")


@pytest.mark.parametrize(
    ("condition", "what"), [("exit", "the program ends"), ("exception", "ValueError")]
)
def test_the_end_itself(run: Runner, condition: str, what: str) -> None:
    """The triggers that look at how the program ends tell as the others do."""
    code = f"""
import logging
tracer.stop()
tracer.flight('ring', on=[{condition!r}], on_event=lambda found: print(
    found['trigger'], found['what'], found['path'], found['error'], found['lasts'], flush=True
))
raise ValueError
"""
    told = run(PATIENT + code, expect=1)
    (path,) = run.ring.glob("*.pftrace")
    assert told == f"{condition} {what} {path} 0 False\n"
    assert f"{condition}: {what} -> {path}\n" in run.stderr


def test_a_signal(run: Runner) -> None:
    """The program's own handler is called as well."""
    printed = run(
        """
import os, signal, threading
seen = threading.Event()
signal.signal(signal.SIGUSR2, lambda *_: print("mine", flush=True))
tracer.stop()
tracer.flight("ring", on=["signal:USR2"], on_event=lambda event: seen.set())
os.kill(os.getpid(), signal.SIGUSR2)
seen.wait(60)
tracer.stop()
os.kill(os.getpid(), signal.SIGUSR2)
"""
    )
    assert printed == "mine\nmine\n"
    assert run.left() == [".pftrace"]


def test_a_condition_that_makes_no_sense(record: Recorder) -> None:
    (record.directory / "app.py").write_text("")
    done = record.tracer("run", "--flight", "9s", "--on", "loop>abc", "app.py")
    assert done.returncode == 2
    assert "'loop>abc': 'abc' is not a limit such as 100ms or 5s" in done.stderr
    assert done.stderr.count("\n") == 1
    done = record.tracer("run", "--on", "loop>1s", "app.py")
    assert "--on is for a flight recording: add --flight 30s" in done.stderr


FAMILY = """
import os, subprocess, sys, time

SPAWNED = "import tracer, time" + chr(10) + "with tracer.region('spawned'): time.sleep(0.06)"

if __name__ == "__main__":
    subprocess.run([sys.executable, "-c", SPAWNED], check=True)
    pid = os.fork()
    if not pid:
        with tracer.region("forked"):
            time.sleep(0.06)
        while sum(name.endswith(".pftrace") for name in os.listdir("ring")) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    print(os.getpid(), pid)
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
"""


def test_a_family(run: Runner, record: Recorder) -> None:
    """Each process has a ring and snapshots of its own, which name their trigger; the folder
    is a trace of all that were killed."""
    on = '["region spawned>50ms", "region forked>50ms"]'
    printed = run(f"tracer.stop()\ntracer.flight('ring', on={on})\n{FAMILY}", expect=-9)
    parent, child = map(int, printed.split())
    by_trigger = {}
    for path in run.ring.glob("*.pftrace"):
        told = json.loads(record.tracer("report", str(path), "--json").stdout)["trace"]
        by_trigger[told["flight"]["trigger"]] = told["pid"]
    assert by_trigger.keys() == {"region spawned>50ms", "region forked>50ms"}
    assert by_trigger["region forked>50ms"] == child
    assert by_trigger["region spawned>50ms"] not in (parent, child)
    found = json.loads(record.tracer("report", str(run.ring), "--json").stdout)
    assert {end["pid"] for end in found["health"]["ends"]} == {parent, child}
