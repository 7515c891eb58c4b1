"""A trace made by hand, as the analysis sees it."""

from pathlib import Path

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from viewer.trace.engine import BEST, Engine
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace


def trace_file(tmp_path: Path, trace: TraceBuilder | Family) -> Path:
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.data())
    return path


def model_of(tmp_path: Path, trace: TraceBuilder | Family, engine: Engine = BEST) -> Model:
    return build_model(read_trace(trace_file(tmp_path, trace), engine))
