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
