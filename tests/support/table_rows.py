"""Prints as JSON which rows of the tables of waits no installed package has any more, those of
other versions than the tables were checked against apart, and how many there are; a program of
its own, as it imports all of these packages."""

import importlib
import json
from collections import defaultdict
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec

from tracer.signals import jobs, libraries
from tracer.signals.loops import anyio, greenlet, trio, uvloop, waits

# Rows for other versions, and for other systems.
OTHERS = {
    "sqlalchemy.util._concurrency_py3k:greenlet_spawn",  # before 2.1
    "trio._core._io_kqueue:KqueueIOManager.wait_readable",  # macOS
    "trio._core._io_kqueue:KqueueIOManager.wait_writable",
}
# By what is imported, the versions that the tables were last checked against. A later release
# may rename what it likes: that is no fault of the recorder, which then shows no name.
CHECKED = {
    "aiohttp": "3.14.5",
    "aiolimiter": "1.3.0",
    "aiosqlite": "0.22.1",
    "anyio": "4.16.0",
    "asgiref": "3.13.0",
    "asyncpg": "0.32.0",
    "billiard": "4.3.2",
    "celery": "5.7.0",
    "curl_cffi": "0.17.0",
    "gevent": "26.9.0",
    "grpc": "1.85.3",
    "httpcore": "1.0.9",
    "httpcore2": "2.16.2",
    "joblib": "1.6.0",
    "psycopg": "3.3.9",
    "psycopg_pool": "3.3.3",
    "pymongo": "4.20.1",
    "redis": "8.1.0",
    "sqlalchemy": "2.1.9",
    "trio": "0.35.0",
    "urllib3": "2.8.0",
    "uvicorn": "0.54.0",
    "uvloop": "0.23.0",
    "websockets": "17.4",
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


def package_of(row: str) -> str:
    """What is imported for it."""
    return row.partition(":")[0].partition(".")[0]


def versions() -> dict[str, str]:
    """By what is imported, the installed version."""
    return {name: version(of[0]) for name, of in packages_distributions().items()}


def lacks(row: str) -> str:
    """What the installed version lacks for a row; "": nothing, or the package is not there."""
    module, _, path = row.partition(":")
    if find_spec(package_of(row)) is None:
        return ""
    try:
        start = importlib.import_module(module)
    except ImportError as missing:  # of another package: not all extras are installed
        return row if f"{module}.".startswith(f"{missing.name}.") else ""
    code = libraries._find(module, path)
    owner, _, name = path.rpartition(".")  # a method of a compiled class, or a base's
    of = waits.find(start, owner) if owner else start
    private = name.startswith("__") and not name.endswith("__")
    if not (code or jobs.find(start, path)):
        return "" if hasattr(of, f"_{owner}{name}" if private else name) else row
    variables = [table[row][0] for table in PLACES if row in table]
    if code and not set(variables) <= set(waits.variables(code)):
        return f"{row}: {variables}"
    return ""


if __name__ == "__main__":
    known, installed = sorted(rows()), versions()
    lacking: dict[bool, list[str]] = defaultdict(list)
    for row in known:
        if lack := lacks(row):
            package = package_of(row)
            is_checked = installed.get(package) == CHECKED.get(package)
            lacking[is_checked].append(f"{lack} ({package} {installed.get(package)})")
    others = {"lacks": lacking[True], "others_lack": lacking[False]}
    print(json.dumps({"rows": len(known)} | others))
