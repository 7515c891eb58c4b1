"""Prints as JSON which rows of the tables of waits no installed package has any more, and how
many there are; a program of its own, as it imports all of these packages."""

import importlib
import json
from importlib.util import find_spec

from tracer.signals import jobs, libraries
from tracer.signals.loops import anyio, greenlet, trio, uvloop, waits

# Rows for other versions, and for other systems.
OTHERS = {
    "sqlalchemy.util._concurrency_py3k:greenlet_spawn",  # before 2.1
    "trio._core._io_kqueue:KqueueIOManager.wait_readable",  # macOS
    "trio._core._io_kqueue:KqueueIOManager.wait_writable",
}
PLACES = (libraries.POOLS, libraries.JOBS, libraries.STAND_INS, libraries.GREENLETS)


def rows() -> set[str]:
    """`module:function` of all tables about installed packages."""
    found = [
        f"{module}:{path.removeprefix('=')}"
        for module, names in libraries.WAITS.items()
        for paths in names.values()
        for path in paths.split()
    ]
    found += [function for table in PLACES for function in table]
    found += trio.THREADS
    found += [f"trio.{module}:{path}" for module, path, *_ in (*trio.WAITS, trio.LIMITER)]
    for module, path, *_ in (*anyio.WAITS, *anyio.WRAPPERS, anyio.LIMITER):
        found.append(f"anyio.{module}:{path.partition(':')[0]}")
    for module, names in greenlet.WAITS.items():
        found += [f"{module}:{path}" for path, _ in names]
    found += [f"uvloop.loop:{path}" for path in (*uvloop.WAITS, *uvloop.LOOKUPS)]
    for module, watched in jobs.WATCHED.items():
        found += [f"{module}:{path}" for path, *_ in watched]
    for module, known in jobs.KNOWN.items():
        found += [f"{module}:{path}" for path in known.values()]
    standard = ("concurrent.", "multiprocessing.")
    return {row for row in found if not row.startswith(standard)} - OTHERS


def lacks(row: str) -> str:
    """What the installed version lacks for a row; "": nothing, or the package is not there."""
    module, _, path = row.partition(":")
    package = module.partition(".")[0]
    if find_spec(package) is None:
        return ""
    try:
        start = importlib.import_module(module)
    except ModuleNotFoundError as missing:  # of another package: not all extras are installed
        return row if f"{module}.".startswith(f"{missing.name}.") else ""
    code = libraries._find(module, path)
    owner, _, name = path.rpartition(".")  # a method of a compiled class, or a base's
    of = waits.find(start, owner) if owner else start
    private = name.startswith("__") and not name.endswith("__")
    if not (code or jobs._find(start, path)):
        return "" if hasattr(of, f"_{owner}{name}" if private else name) else row
    variables = [table[row][0] for table in PLACES if row in table]
    if code and not set(variables) <= set(waits.variables(code)):
        return f"{row}: {variables}"
    return ""


if __name__ == "__main__":
    known = sorted(rows())
    print(json.dumps({"rows": len(known), "lacks": [row for row in known if lacks(row)]}))
