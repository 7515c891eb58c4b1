"""Programs that do what no program should: the recording must bear it."""

from __future__ import annotations

from tests.conftest import Recorder


def test_long_names_are_cut_between_characters(record: Recorder) -> None:
    """Nothing is read behind a long name, and none is cut inside a character."""
    record(
        """
import asyncio
space = {}
name = "x" + "é" * 301
source = f"async def {name}():\\n import asyncio\\n await asyncio.sleep(0)"
exec(compile(source, "f" + "ü" * 260 + ".py", "exec"), space)
Long = type("A" + "é" * 3000, (list,), {})

async def main():
    asyncio.get_running_loop().call_soon(Long().append, 1)
    for start in ("x", "xy", "xyz"):
        task = asyncio.create_task(space[name](), name=start + "€" * 400)
        await asyncio.gather(asyncio.create_task(asyncio.wait_for(task, 1)))

asyncio.run(main())
""",
        "y" + "é" * 600,
        "\udcff",
    )


def test_a_future_that_ends_the_recording_when_looked_at(record: Recorder) -> None:
    """What a hook reads may run the program's code, even code that stops the recorder."""
    record(
        """
import asyncio
from tracer import recorder

class Future:
    _asyncio_future_blocking = False

    def get_loop(self):
        return asyncio.get_running_loop()

    def add_done_callback(self, callback, *, context=None):
        self.get_loop().call_later(0, callback, self)

    def result(self):
        return None

    @property
    def _callbacks(self):
        if recorder._active:
            recorder._active.stop()
        return []

    def __await__(self):
        self._asyncio_future_blocking = True
        yield self

async def main():
    await Future()

asyncio.run(main())
"""
    )
