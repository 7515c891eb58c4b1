"""Forked children: what of a recording goes on in them, and how it ends.

Imports nothing that a plain `python` has not loaded already.
"""

import os
import sys
from _thread import get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from tracer.recorder import Recording


def register(core: "ModuleType") -> None:
    """Called by whatever has native threads: none is there while the process forks
    (core/python/forking.h). In a child that is followed, the recording begins anew before the
    first line."""
    if "fork hooks" in core.kept:
        return
    core.kept["fork hooks"] = True
    core.kept["end of a child"] = lambda: end(core)  # for the program's own atexit functions
    os.register_at_fork(
        before=core.pause_threads,
        after_in_parent=core.resume_threads,
        after_in_child=lambda: _begin(core),
    )


def _begin(core: "ModuleType") -> None:
    core.forget_threads()
    parent = core.kept.pop("recording", None)
    if parent is None:
        return
    flow = core.forked()
    if not flow:
        parent.disarm()
        return
    child = type(parent)(parent.options)
    try:
        child.start_in_child(parent, flow)
    except Exception:  # it runs unrecorded, which the first process says
        child.disarm()


def end(core: "ModuleType") -> None:
    """Ends the recording of a followed child; of any other process nothing."""
    recording = core.kept.get("recording")
    if recording is not None and recording.family and not recording.family.is_first:
        recording.stop()


def thread_name() -> str:
    """The name of the thread that forked: a child's first thread keeps it."""
    threading = sys.modules.get("threading")
    active = getattr(threading, "_active", {})
    return getattr(active.get(get_ident()), "name", "MainThread")


def named(recording: "Recording", output: str) -> str:
    """At the end: FILE as the user gave it, or as it is called now."""
    renamed = recording.family.renamed if recording.family is not None else ""
    return (
        os.path.join(os.path.dirname(output), os.path.basename(renamed)) if renamed else output
    )


def told(recording: "Recording", folder: str) -> "Iterator[str]":
    """At the end of the first process: what became of its children's traces."""
    family = recording.family
    if family is None:
        return
    if family.problem:
        yield f"children: {family.problem}; their traces stay in {folder}"
    if family.running:
        pids = ", ".join(name.partition("-")[0] for name in family.running)
        yield f"children: {pids} still run, and their traces stay in {folder}"
