"""Names that a program gives: escaped, never empty, and with a line."""

import asyncio
import re
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import Recorder
from tests.support.rendering import check_no_control, every_output
from tests.support.validator.rules import Summary, validate
from tests.support.validator.strict import read_strict
from tracer import schema as s

ODD = "a\nb\tc\x1b[31md\x00e\x7ff\x85g\udc80h"
SHOWN = "a\\nb\\tc\\x1b[31md\\x00e\\x7ff\\x85g\\udc80h"

# The thread waits for the lock: else it would have the GIL, and this would not run.
UNTIL_IT_WAITS = """
import sys, time

def until_it_waits(thread, line):
    while sys._current_frames()[thread.ident].f_lineno != line:
        time.sleep(0)
"""

PROGRAM = f"""
import asyncio, threading, tracer
{UNTIL_IT_WAITS}

ODD = {ODD!r}
lock = threading.Lock()
source = '''
def hold():
    with lock:
        time.sleep(0)

async def step():
    await asyncio.sleep(0)
    raise Odd
'''
space = {{"asyncio": asyncio, "time": time, "lock": lock}}
space["Odd"] = type("Odd\\n\\x1b[1m", (Exception,), {{}})
exec(compile(source, "odd\\n\\x1b[31m.py", "exec"), space)
for function in (space["hold"], space["step"]):
    name = ODD + function.__name__
    function.__code__ = function.__code__.replace(co_name=name, co_qualname=name)
    function.__name__ = function.__qualname__ = name

with lock:
    thread = threading.Thread(target=space["hold"], name="thread " + ODD)
    thread.start()
    until_it_waits(thread, 3)
thread.join()

async def main():
    task = asyncio.create_task(space["step"](), name="task " + ODD)
    await asyncio.wait([task])
    assert task.exception()

asyncio.run(main())
tracer.log("log " + ODD, **{{"label " + ODD: "value " + ODD}})
tracer.counter("counter " + ODD, 1)
with tracer.task("operation " + ODD), tracer.region("region " + ODD):
    pass
"""


def texts(trace: bytes) -> Iterator[str]:
    strict = read_strict(trace)
    for track in strict.tracks.values():
        yield track.thread_name or track.name
    for event in strict.events:
        yield event.name
        for label, value in event.args.items():
            yield label
            yield str(value)


def test_control_characters(record: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    """They are there, escaped, in every name; and no output of the viewer has any."""
    trace = record(PROGRAM, "word\n\x1b[31m", "")
    found = set(texts(trace.read_bytes()))
    for kind in (
        "thread ",
        "task ",
        "log ",
        "label ",
        "value ",
        "counter ",
        "operation ",
        "region ",
    ):
        assert kind + SHOWN in found, kind
    assert f"odd\\n\\x1b[31m.py:3 {SHOWN}hold" in found
    assert f"{SHOWN}step" in found
    assert "failed: Odd\\n\\x1b[1m" in found
    assert any(text.endswith("word\\n\\x1b[31m ") for text in found)
    made = every_output(trace, capsys)
    check_no_control(made)
    assert f"thread {SHOWN}"[:30] in made["report --section all"]
    assert "\x1b" not in record.stderr


EMPTY = f"""
import asyncio, threading, tracer
from types import FunctionType
{UNTIL_IT_WAITS}

async def coroutine():
    await asyncio.sleep(0)

def function():
    with lock:
        pass

def nameless(of):
    code = of.__code__.replace(co_name="", co_qualname="", co_filename="", co_firstlineno=5)
    return FunctionType(code, globals(), "")

async def main():
    named = coroutine()
    named.__qualname__ = named.__name__ = ""
    await asyncio.gather(
        asyncio.create_task(named, name="one"),
        asyncio.create_task(nameless(coroutine)(), name=""),
    )

asyncio.run(main())
lock = threading.Lock()
with lock:
    thread = threading.Thread(target=nameless(function))
    thread.name = ""
    thread.start()
    until_it_waits(thread, 6)
thread.join()
tracer.log("")
tracer.counter("", 1)
with tracer.task(""), tracer.region(""):
    pass
"""


def test_empty_names(record: Recorder, capsys: pytest.CaptureFixture[str]) -> None:
    """What has no name is shown by its place or number: it can be told from others."""
    data = record(EMPTY).read_bytes()
    summary = validate(data)
    coroutines = [task.coro for task in summary.tasks.values()]
    assert coroutines[1:3] == ["coroutine", "<:5>"]
    (unnamed,) = (task for task in summary.tasks.values() if task.coro == "<:5>")
    assert unnamed.name == f"#{unnamed.id}"
    strict = read_strict(data)
    names = {track.thread_name for track in strict.tracks.values() if track.tid}
    assert all(name == "MainThread" or re.fullmatch(r"thread \d+", name) for name in names)
    sites = {str(e.args[s.ARG_SITE]) for e in strict.events if s.ARG_SITE in e.args}
    assert "(empty):6 (empty)" in sites
    assert summary.names["(empty)"] == 3  # log, region, operation
    assert list(summary.user.counters) == ["(empty)"]


def test_a_built_in_method_is_called_after_its_own_type(
    recorded: Callable[..., Summary],
) -> None:
    """Not after the subclass that was seen with it first, which others do not know."""

    class Mine(list[int]):
        pass

    async def main() -> None:
        asyncio.get_running_loop().call_soon(Mine().append, 1)
        await asyncio.sleep(0)

    found = recorded(lambda: asyncio.run(main())).names
    assert found["list.append"] == 1
    assert "Mine.append" not in found
