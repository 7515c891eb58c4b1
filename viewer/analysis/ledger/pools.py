"""Pools and limiters that one waits for: known by the wait's name, else by the function."""

from functools import lru_cache
from typing import NamedTuple

from viewer.analysis.waited import For, package_of, waited_for
from viewer.trace.sites import place_of


class Pool(NamedTuple):
    """`slot` is what it lends, `of` whose it is."""

    slot: str
    of: str


_CONNECTIONS = "QueuePool._do_get AsyncAdaptedQueuePool._do_get"
_LIMITER = "CapacityLimiter.acquire_on_behalf_of CapacityLimiter.acquire"
_HTTPCORE = "AsyncPoolRequest.wait_for_connection PoolRequest.wait_for_connection"
_PEEWEE = "PooledDatabase._connect PooledDatabase.connect"
# Part of a file's path, the functions in which one waits for a slot, what that is, and whose.
_KNOWN = tuple(
    (part, frozenset(functions.split()), Pool(slot, of))
    for part, functions, slot, of in (
        ("/sqlalchemy/pool/", _CONNECTIONS, "connection", "SQLAlchemy's pool"),
        ("/httpcore/", _HTTPCORE, "connection", "httpx's pool"),
        ("/pymongo/", "Pool._get_conn Pool.checkout", "connection", "pymongo's pool"),
        ("/aiomysql/pool.py", "Pool._acquire", "connection", "aiomysql's pool"),
        ("/aiopg/pool.py", "Pool._acquire", "connection", "aiopg's pool"),
        ("/dbutils/", "PooledDB.connection", "connection", "DBUtils' pool"),
        ("/peewee.py", _PEEWEE, "connection", "peewee's pool"),
        ("/playhouse/pool.py", _PEEWEE, "connection", "peewee's pool"),
        ("/kombu/resource.py", "Resource.acquire", "connection", "kombu's pool"),
        ("/anyio/", _LIMITER, "token", "anyio's limiter"),
        ("/trio/", _LIMITER, "token", "trio's limiter"),
        ("/anyio/", "Semaphore.acquire", "permit", "a `Semaphore`"),
        ("/trio/", "Semaphore.acquire", "permit", "a `Semaphore`"),
        ("/gevent/", "ThreadPool.spawn Pool.spawn Pool.start", "worker", "gevent's pool"),
    )
)
# Whose pool it is, where the package that the trace names has another name for its users.
_OWNERS = {"httpcore": "httpx", "psycopg_pool": "psycopg", "sqlalchemy": "SQLAlchemy"}
SEMAPHORES = ("Semaphore", "BoundedSemaphore")


@lru_cache(maxsize=4096)
def pool_of(name: str, stack: tuple[str, ...]) -> Pool | None:
    """The pool that a wait of that name is for; None when no pool is known."""
    if waited_for(name) is For.POOL:  # the trace says so
        package = package_of(name)
        return Pool("connection", f"{_OWNERS.get(package, package)}'s pool")
    if waited_for(name) is not For.HERE:
        return None
    for frame in stack:
        path, _, function = place_of(frame)
        for part, functions, pool in _KNOWN:
            if function in functions and part in path:
                return pool
    return Pool("permit", f"a `{name}`") if name in SEMAPHORES else None
