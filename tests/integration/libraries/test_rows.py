"""Each row of the tables of waits is a function of the installed package: a version that has
renamed one fails here, before its waits lose their name."""

import importlib
from importlib.util import find_spec
from types import CodeType

import pytest

from tracer.signals import jobs, libraries, locks
from tracer.signals.loops import anyio, asyncio, greenlet, trio, uvloop, waits

pytestmark = pytest.mark.broad

# Rows for other versions, and for other systems.
OTHERS = {
    "asyncio.taskgroups:TaskGroup._aexit",  # 3.12.9+, 3.13.2+
    "sqlalchemy.util._concurrency_py3k:greenlet_spawn",  # before 2.1
    "threading:Thread._wait_for_tstate_lock",  # until 3.12
    "trio._core._io_kqueue:KqueueIOManager.wait_readable",  # macOS
    "trio._core._io_kqueue:KqueueIOManager.wait_writable",
}


def rows() -> list[str]:
    """`module:function` of all tables."""
    found = [
        f"{module}:{path.removeprefix('=')}"
        for module, names in libraries.WAITS.items()
        for paths in names.values()
        for path in paths.split()
    ]
    found += [*libraries.POOLS, *libraries.JOBS, *libraries.STAND_INS, *libraries.GREENLETS]
    for package, table in (("asyncio", asyncio.WAITS), ("trio", (*trio.WAITS, trio.LIMITER))):
        found += [f"{package}.{module}:{path}" for module, path, *_ in table]
    for module, path, *_ in (*anyio.WAITS, *anyio.WRAPPERS, anyio.LIMITER):
        found.append(f"anyio.{module}:{path.partition(':')[0]}")
    found += [path.rpartition(":")[0] + ":" + path.rpartition(":")[2] for path in trio.THREADS]
    for of in (greenlet.WAITS, locks.WAITS):
        found += [f"{module}:{path}" for module, names in of.items() for path, _ in names]
    found += [f"uvloop.loop:{path}" for path in (*uvloop.WAITS, *uvloop.LOOKUPS)]
    for module, watched in jobs.WATCHED.items():
        found += [f"{module}:{path}" for path, *_ in watched]
    for module, known in jobs.KNOWN.items():
        found += [f"{module}:{path}" for path in known.values()]
    return sorted(set(found) - OTHERS)


def is_there(module: str, path: str) -> bool:
    start = importlib.import_module(module)
    if libraries._find(module, path) or jobs._find(start, path):
        return True
    owner, _, name = path.rpartition(".")  # a method of a compiled class, or a base's
    of = waits.find(start, owner) if owner else start
    private = name.startswith("__") and not name.endswith("__")
    return hasattr(of, f"_{owner}{name}" if private else name)


@pytest.mark.parametrize("module", sorted({row.partition(":")[0] for row in rows()}))
def test_the_installed_version_has_each_function(module: str) -> None:
    if find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed")
    ours = [row.partition(":")[2] for row in rows() if row.startswith(f"{module}:")]
    assert [path for path in ours if not is_there(module, path)] == []


@pytest.mark.parametrize("function", [*libraries.POOLS, *libraries.JOBS, *libraries.STAND_INS])
def test_the_function_has_the_variable_that_leads_to_the_pool(function: str) -> None:
    module, _, path = function.partition(":")
    if find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed")
    importlib.import_module(module)
    code = libraries._find(module, path)
    tables = (libraries.POOLS, libraries.JOBS, libraries.STAND_INS)
    wanted = {table[function][0] for table in tables if function in table}  # type: ignore[index]
    assert isinstance(code, CodeType)
    assert wanted <= set(waits.variables(code))
