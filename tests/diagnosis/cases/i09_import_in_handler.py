"""The first request imports a module that connects while it is imported.
truth: `export` blocks the loop 0.4 s in the import of `exporter`, which sleeps; `ping` is late."""
import asyncio
import pathlib
import sys
import tempfile

folder = pathlib.Path(tempfile.mkdtemp())
(folder / "exporter.py").write_text("import time\n\n\ndef connect():\n    time.sleep(0.4)\n\n\nconnect()\n")
sys.path.insert(0, str(folder))


async def export():
    import exporter  # noqa: F401


async def ping():
    for _ in range(10):
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(ping() for _ in range(5)), export())


asyncio.run(main())
