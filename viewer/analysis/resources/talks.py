"""Who talks to a server by way of a package, and so has a connection of its pool."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.reading import awaits_named
from viewer.analysis.resources.waits import Waits
from viewer.analysis.states import stack_of
from viewer.analysis.waited import package_of
from viewer.trace.columns import IO
from viewer.trace.sites import innermost

WITH_ONE = ("query ", "command ", "response ", "body ", "message ")  # with a connection
_NOT_YET = ("connect (asyncpg)",)  # its pool connects before anybody asks for one
_ANY_DRIVER = "sqlalchemy"  # its pool has the connections of another package
_OF_DRIVERS = ("query ", "executor (aiosqlite)")
_ASKS = ("socket.", "ssl.", "select.", "send", "recv", "poll", "connect", "sqlite3.",
         "psycopg2.")  # fmt: skip
_SEVERAL = 2


class Use(NamedTuple):
    """Somebody used a connection of a library's pool."""

    who: Who
    site: str
    start_ns: int
    end_ns: int
    pool: int = -1  # a lock, where the trace says which one


def is_talk(what: str, package: str) -> bool:
    """Whether such a wait is for a server, by way of a connection of the package's pool."""
    if package == _ANY_DRIVER:
        return what.startswith(_OF_DRIVERS)
    return what.startswith(WITH_ONE) and package_of(what) == family(package)


def family(package: str) -> str:
    """The package that talks to the server, by that of the pool: psycopg of psycopg_pool."""
    return package.removesuffix("_pool")


def of_threads(waits: Waits, package: str, before: int) -> Iterator[Use]:
    """Which threads talked to a server by way of a package, before a time."""
    model, reading, table = waits.model, waits.reading, waits.model.states
    part = f"-packages/{family(package)}/"
    for row in reading.rows_of((IO,), 0) if package else ():
        name = reading.call(table.row[row])[0]
        if table.start_ns[row] < before and name.startswith(_ASKS):
            frames = stack_of(model, row).split("\n")
            site = innermost(frames)
            is_its = any(part in frame for frame in frames)
            if site and is_its and reading.on_loop_at(table.who[row], table.start_ns[row]) < 0:
                who: Who = ("thread", table.who[row])
                yield Use(who, site, table.start_ns[row], table.end_ns[row])


def of_tasks(waits: Waits, before: int, is_asked: Callable[[str], bool]) -> Iterator[Use]:
    """The awaits of tasks, by what they are called, that began before a time."""
    slices, owner = waits.model.trace.slices, waits.model.owners.owner

    def is_its(name: str) -> bool:
        what = name.removeprefix(s.AWAIT_PREFIX)
        return what != name and is_asked(what)

    for i in awaits_named(waits.reading, is_its):
        if slices.start_ns[i] >= before:
            return
        site, row = waits.reading.awaited(i)[1], waits.tree.lanes.task_waits.get(i, -1)
        pool = waits.model.states.row[row] if row >= 0 else -1
        yield Use(("task", owner[i]), site, slices.start_ns[i], slices.end_ns[i], pool)


def of_pool(found: Iterable[Use], sites: Collection[str]) -> list[Use]:
    """Where a library has several pools, those for one that is used at these lines."""
    every = [*found]
    at = {use.pool for use in every if use.site in sites}
    is_one = len({use.pool for use in every}) < _SEVERAL or not sites
    return every if is_one else [use for use in every if use.pool in at]


def uses(waits: Waits, package: str, before: int, sites: Collection[str]) -> Iterator[Use]:
    """The talks to a pool's server before a time; others wait for that pool at these lines."""
    yield from of_threads(waits, package, before)
    if package:
        found = of_tasks(waits, before, lambda what: is_talk(what, package))
        # A driver's connections are no pools.
        yield from found if package == _ANY_DRIVER else of_pool(found, sites)


def askers(
    waits: Waits, package: str, before: int, sites: Collection[str]
) -> tuple[dict[Who, int], set[Who]]:
    """Who asked the server by way of a package before a time, and when they did last; who only
    did something else."""
    asked = dict[Who, int]()
    for use in uses(waits, package, before, sites):
        asked[use.who] = max(use.start_ns, asked.get(use.who, 0))

    def is_other(what: str) -> bool:
        is_its = package_of(what) == family(package) and what not in _NOT_YET
        return is_its and not is_talk(what, package)

    made = {use.who for use in of_tasks(waits, before, is_other)} if package else set[Who]()
    return asked, made
