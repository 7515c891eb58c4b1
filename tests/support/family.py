"""The files and events of a run that has several processes."""

from pathlib import Path

from tests.support.validator.rules import Summary
from tests.support.validator.strict import Event, read_strict
from tracer import schema as s

START_METHODS = ("fork", "spawn", "forkserver")


def events(trace: Path, name: str) -> list[Event]:
    return [event for event in read_strict(trace.read_bytes()).events if event.name == name]


def folder(trace: Path) -> Path:
    return trace.with_name(f"{trace.name}.d")


def has_ended(found: Summary) -> bool:
    """Whether each process of the trace has ended its recording."""
    return found.names[s.RECORDING] == found.names[s.RECORDING_ENDED] == len(found.processes)
