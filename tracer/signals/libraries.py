"""What tasks and threads wait for inside installed packages, by the functions that wait.

A name is `await query (asyncpg)`: what it is, then the package. What has a pool says so in the
same words in every package, so a reader can tell such waits from those for somebody outside.
"""

import sys

from tracer.signals.loops import waits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType

    from tracer.signals import Tool

# httpcore2 goes on where httpcore stopped, with the same functions.
_HTTPCORES = ("httpcore", "httpcore2")
_HTTPCORE: "dict[str, dict[str, str]]" = {
    "_async.connection": {
        "connect": "AsyncHTTPConnection._connect",
        "response": "AsyncHTTPConnection.handle_async_request",
    },
    "_async.connection_pool": {
        "connection pool": "AsyncConnectionPool.handle_async_request",
    },
    "_async.http11": {
        "response": "AsyncHTTP11Connection.handle_async_request",
        "body": "AsyncHTTP11Connection._receive_response_body",
    },
    "_async.http2": {
        "response": "AsyncHTTP2Connection.handle_async_request",
        "body": "AsyncHTTP2Connection._receive_response_body",
    },
    "_async.http_proxy": {
        "connect": "AsyncTunnelHTTPConnection.handle_async_request",
        "response": "AsyncForwardHTTPConnection.handle_async_request",
    },
}

# Module -> what is awaited -> in which functions. The innermost of them counts, and before
# asyncio's functions inside it. "=f": only where f itself awaits a future that is no task.
WAITS: "dict[str, dict[str, str]]" = {
    "aiohttp.base_protocol": {"send": "BaseProtocol._drain_helper"},
    "aiohttp.client_reqrep": {"response": "ClientResponse.start"},
    "aiohttp.client_ws": {"message": "ClientWebSocketResponse.receive"},
    "aiohttp.connector": {
        "connection pool": "BaseConnector._wait_for_available_connection",
        "connect": "TCPConnector._create_connection UnixConnector._create_connection",
        "DNS": "TCPConnector._resolve_host TCPConnector._resolve_host_with_throttle",
    },
    "aiohttp.streams": {"body": "StreamReader._wait StreamReader.wait_eof"},
    "aiohttp.web_protocol": {"request": "=RequestHandler.start"},
    "aiohttp.web_ws": {"message": "WebSocketResponse.receive"},
    "aiolimiter.leakybucket": {"rate limit": "AsyncLimiter.acquire"},
    "aiosqlite.core": {"executor": "Connection._execute Connection._connect"},
    "asgiref.sync": {"executor": "SyncToAsync.__call__"},
    "asyncpg.connect_utils": {"connect": "_connect"},
    "asyncpg.connection": {
        "close": "Connection.close",
        "query": "Connection.execute Connection._execute Connection._executemany"
        " Connection._prepare Connection._copy_in Connection.copy_records_to_table"
        " Connection._copy_out Connection._introspect_types Connection._introspect_type"
        " Connection.reset Connection.add_listener Connection.remove_listener",
    },
    "asyncpg.cursor": {
        "query": "BaseCursor._bind_exec BaseCursor._bind BaseCursor._exec"
        " BaseCursor._close_portal",
    },
    "asyncpg.pool": {"connection pool": "Pool._acquire", "query": "Pool.release"},
    "asyncpg.prepared_stmt": {
        "query": "PreparedStatement._PreparedStatement__do_execute"
        " PreparedStatement.executemany",
    },
    **{
        f"{package}.{path}": waits
        for package in _HTTPCORES
        for path, waits in _HTTPCORE.items()
    },
    "curl_cffi.requests.session": {
        "connection pool": "AsyncSession.pop_curl",
        "response": "AsyncSession._request_once AsyncSession.request",
    },
    "grpc.aio._call": {
        "message": "_StreamResponseMixin._read",
        "response": "_UnaryResponseMixin.__await__ UnaryUnaryCall._invoke"
        " StreamUnaryCall._conduct_rpc",
        "send": "_StreamRequestMixin._write _StreamRequestMixin._done_writing"
        " UnaryStreamCall._send_unary_request StreamStreamCall._prepare_rpc",
    },
    "grpc.aio._channel": {"connect": "Channel.wait_for_state_change"},
    "grpc.aio._interceptor": {"response": "_InterceptedUnaryResponseMixin.__await__"},
    "psycopg.connection_async": {
        "connect": "AsyncConnection.connect",
        "query": "AsyncConnection.wait",
    },
    "psycopg_pool.pool": {"connection pool": "ConnectionPool._getconn_unchecked"},
    "psycopg_pool.pool_async": {"connection pool": "AsyncConnectionPool._getconn_unchecked"},
    "pymongo.asynchronous.command_runner": {"command": "_run_command"},
    "pymongo.asynchronous.pool": {
        "connection pool": "Pool._get_conn",
        "connect": "Pool.connect",
        "message": "AsyncConnection._next_reply",
    },
    "pymongo.asynchronous.topology": {"connect": "Topology._select_servers_loop"},
    "pymongo.network_layer": {"command": "PyMongoProtocol.read"},
    "pymongo.synchronous.pool": {"connection pool": "Pool._get_conn"},
    "redis.asyncio.client": {
        "command": "Redis.parse_response Redis._send_command_parse_response"
        " Pipeline._execute_transaction Pipeline._execute_pipeline",
        "message": "PubSub.parse_response",
    },
    "redis.asyncio.connection": {
        "connection pool": "BlockingConnectionPool.get_connection",
        "connect": "ConnectionPool.ensure_connection AbstractConnection.connect",
    },
    "redis.asyncio.lock": {"lock": "Lock.acquire"},
    "redis.connection": {"connection pool": "BlockingConnectionPool.get_connection"},
    "sqlalchemy.pool.impl": {"connection pool": "QueuePool._do_get"},
    "urllib3.connectionpool": {"connection pool": "HTTPConnectionPool._get_conn"},
    "uvicorn.protocols.http.flow_control": {"send": "FlowControl.drain"},
    "uvicorn.protocols.http.h11_impl": {"body": "RequestResponseCycle.receive"},
    "uvicorn.protocols.http.httptools_impl": {"body": "RequestResponseCycle.receive"},
    "uvicorn.protocols.websockets.websockets_impl": {
        "message": "WebSocketProtocol.asgi_receive",
        "send": "WebSocketProtocol.asgi_send",
    },
    "uvicorn.protocols.websockets.websockets_sansio_impl": {
        "message": "WebSocketsSansIOProtocol.receive",
        "send": "WebSocketsSansIOProtocol.send",
    },
    "uvicorn.protocols.websockets.wsproto_impl": {
        "message": "WSProtocol.receive",
        "send": "WSProtocol.send",
    },
    "websockets.asyncio.client": {"connect": "connect.connect"},
    "websockets.asyncio.connection": {
        "message": "Connection.recv Connection.recv_streaming",
        "send": "Connection.send",
    },
}

# Functions in which tasks, and threads, wait for a slot -> the variable that has the pool, the
# attribute that stands for it if it cannot be weakly referenced itself, and its number of
# slots: attributes that add up ("a+b"), or of which one is not 0 ("a|b"), or a number.
POOLS: "dict[str, tuple[str, str, str]]" = {
    "aiohttp.connector:BaseConnector._wait_for_available_connection": (
        *("self", "", "_limit|_limit_per_host"),
    ),
    "aiosqlite.core:Connection._connect": ("self", "", "1"),
    "aiosqlite.core:Connection._execute": ("self", "", "1"),  # it has a thread of its own
    "asgiref.sync:SyncToAsync.__call__": ("executor", "", "_max_workers"),
    "asyncpg.pool:Pool._acquire": ("self", "_queue", "_maxsize"),
    "curl_cffi.requests.session:AsyncSession.pop_curl": ("self", "", "max_clients"),
    **{
        f"{package}._async.connection_pool:AsyncConnectionPool.handle_async_request": (
            *("self", "", "_max_connections"),
        )
        for package in _HTTPCORES
    },
    "psycopg_pool.pool:ConnectionPool._getconn_unchecked": ("self", "", "_max_size"),
    "psycopg_pool.pool_async:AsyncConnectionPool._getconn_unchecked": (
        "self",
        "",
        "_max_size",
    ),
    "pymongo.asynchronous.pool:Pool._get_conn": ("self", "", "max_pool_size"),
    "pymongo.synchronous.pool:Pool._get_conn": ("self", "", "max_pool_size"),
    "redis.asyncio.connection:BlockingConnectionPool.get_connection": (
        *("self", "", "max_connections"),
    ),
    "redis.connection:BlockingConnectionPool.get_connection": ("self", "", "max_connections"),
    "sqlalchemy.pool.impl:QueuePool._do_get": ("self", "", "_pool.maxsize+_max_overflow"),
    "urllib3.connectionpool:HTTPConnectionPool._get_conn": ("self", "", "pool.maxsize"),
    # Has a slot of a pool meanwhile: of which one?
    "aiohttp.client_reqrep:ClientResponse.start": ("connection", "_connector", ""),
    # No pools, but connections whose other end is slow: who writes to several in turn?
    "aiohttp.base_protocol:BaseProtocol._drain_helper": ("self", "transport", ""),
    "uvicorn.protocols.http.flow_control:FlowControl.drain": ("self", "", ""),
    **{
        f"uvicorn.protocols.websockets.{function}": ("self", "", "")
        for function in (
            "websockets_impl:WebSocketProtocol.asgi_send",
            "websockets_sansio_impl:WebSocketsSansIOProtocol.send",
            "wsproto_impl:WSProtocol.send",
        )
    },
    "websockets.asyncio.connection:Connection.send": ("self", "", ""),
}

# Functions in which a task waits for a function that a thread runs -> the variable that has
# it, and the attribute of that …
JOBS: "dict[str, tuple[str, str]]" = {
    "anyio._backends._asyncio:AsyncIOBackend.run_sync_in_worker_thread": ("func", ""),
    "anyio._backends._trio:TrioBackend.run_sync_in_worker_thread": ("func", ""),
    "asgiref.sync:SyncToAsync.__call__": ("self", "func"),
    "trio._threads:to_thread_run_sync": ("sync_fn", ""),
}
# … and those that have an object in their place in a limiter's set -> the same, of that …
STAND_INS = {"trio._threads:to_thread_run_sync": ("placeholder", "")}
# … or that a greenlet runs, which waits in what the task awaits next -> the same, of that.
GREENLETS: "dict[str, tuple[str, str]]" = {
    "sqlalchemy.util._concurrency_py3k:greenlet_spawn": ("context", ""),
    "sqlalchemy.util.concurrency:greenlet_spawn": ("context", ""),
}

_numbers: "dict[tuple[int, str, str], int]" = {}  # of pools, in the core, which keeps them


def arm(core: "ModuleType", tool: "Tool") -> None:
    """Names the waits of each package once the program imports it. The names stay."""
    for module in WAITS:
        tool.after_import(module, lambda module=module: _name(core, module))  # type: ignore[misc]
    for runners in (JOBS, STAND_INS, GREENLETS):
        for function, place in runners.items():

            def label(
                runners: "dict[str, tuple[str, str]]" = runners,
                function: str = function,
                place: "tuple[str, str]" = place,
            ) -> None:
                _label_runner(core, runners, function, place)

            tool.after_import(function.partition(":")[0], label)


def _name(core: "ModuleType", module: str) -> None:
    package = module.partition(".")[0]
    for what, paths in WAITS[module].items():
        name = f"{what} ({package})"
        for path in paths.split():
            code = _find(module, path.removeprefix("="))
            if code is None:  # this version waits elsewhere
                continue
            pool = _number(core, code, *POOLS.get(f"{module}:{path}", ("", "", "")))
            is_direct = path.startswith("=")
            core.label_library(code, f"await {name}", f"lock wait: {name}", is_direct, pool)


def _find(module: str, path: str) -> "CodeType | None":
    """The function's code, below what decorators have put around it."""
    found: object = sys.modules[module]
    for part in path.split("."):
        found = getattr(found, "__dict__", {}).get(part)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    return getattr(getattr(found, "__func__", found), "__code__", None)


def _label_runner(
    core: "ModuleType",
    runners: "dict[str, tuple[str, str]]",
    function: str,
    place: "tuple[str, str]",
) -> None:
    module, _, path = function.partition(":")
    code = _find(module, path)
    if code is None:
        return
    number = _number(core, code, *place, "")
    if runners is STAND_INS:
        core.label_stand_in(code, number)
    else:
        core.label_runner(code, number, runners is GREENLETS)


def _number(
    core: "ModuleType", code: "CodeType", variable: str, attribute: str, slots: str
) -> int:
    """What a variable of a function leads to, as a number of the core; 0: nothing."""
    variables = waits.variables(code)
    if variable not in variables:
        return 0
    key = (variables.index(variable), attribute, slots)
    if key not in _numbers:
        constant = int(slots) if slots.isdecimal() else 0
        terms = slots.replace("|", "+").split("+") if slots and not constant else []
        _numbers[key] = core.library_pool(
            key[0],
            tuple(attribute.split(".")) if attribute else (),
            tuple(tuple(term.split(".")) for term in terms),
            "+" in slots,
            constant,
        )
    return _numbers[key]
