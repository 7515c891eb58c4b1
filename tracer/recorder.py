"""One recording: options -> hooks armed -> file -> totals.

It imports nothing that a plain `python` has not loaded already, since the program would find
it loaded.
"""

import os
import sys
import time

from tracer.errors import TracerError
from tracer.live import control, debug
from tracer.options import ON_REQUEST, SIGNALS, Options
from tracer.output import cannot_write, discard, discard_profiles, open_trace
from tracer.processes import children as child_processes
from tracer.processes import order
from tracer.processes.family import Family
from tracer.secrets import masked
from tracer.signals import Tool, children, libraries
from tracer.totals import Totals

_TOLD_MS = 1000  # at the end, for those who are told of triggers: their code may hang

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    from tracer.signals import Disarm

__all__ = ["ON_REQUEST", "SIGNALS", "Options", "Recording"]


class Recording:
    """Records from `start()` to `stop()`, once. A process has one recording at a time."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._core: ModuleType | None = None
        self._tool: Tool | None = None
        self._disarms: dict[str, Disarm] = {}
        self._argv: list[str] = []  # as the trace has it
        self.family: Family | None = None  # this process's place among those of the run
        self._had_gil = True
        self._is_new = False  # the file did not exist before
        self._has_begun = False
        self.is_discarded = False  # stop() left no trace
        self._crashes = False  # the process is about to end by a signal
        # Called when the process ends without Python's own end; at least stop() …
        self.at_end: Callable[[], object] = self.stop
        # … and, with the totals so far, before another program takes its place.
        self.at_exec: Callable[[Totals, str], object] | None = None
        self.blind_spots: list[tuple[str, str]] = []  # at the end: (signal, text)

    def start(self) -> None:
        """Opens the file and arms the hooks.

        Raises TraceFileError when the output is refused, TracerError when the C core is
        missing or a recording is running already, RuntimeError when the system has no memory
        or thread for it.
        """
        try:
            from tracer import _core
        except ImportError as error:
            raise TracerError(f"cannot record: the C core is missing ({error})") from None
        child_processes.end(
            _core
        )  # a child's own recording instead of its part of the family's
        asked_for = _core.kept.get("on demand")
        if asked_for not in (None, self):  # one that a request began gives way
            _core.kept.pop("on demand", None)
            asked_for.stop()
        if _core.kept.get("recording") or _core.is_recording():
            raise TracerError(
                "cannot start a recording: one is already running. Stop it first."
            )
        _core.kept["recording"] = self  # from here on nobody else can start one
        options = self.options
        try:
            hold, fd = self._prepare(_core)
            path = os.path.abspath(options.path)
            family = Family(path, options.most_bytes, options.most_files)
            self._open(_core, fd, family, hold)
            if not hold:
                self._replace_files(_core)
        except BaseException:
            del _core.kept["recording"]
            raise
        child_processes.register(_core)
        follows = options.follow and (options.flight or os.path.isfile(options.path))
        family.follow(_core, bool(follows))
        order.give(_core, options, family if follows else None, self._argv)
        _core.name_thread(os.getpid(), "MainThread")
        self._arm(_core)
        if _core.kept.get("on demand") is not self:
            _tell_listening(_core, options.path)

    def _prepare(self, core: "ModuleType") -> tuple[bool, int]:
        """Makes the ring, or opens the file: whether it is held, and its descriptor."""
        options = self.options
        if options.flight is not None:
            flight = options.flight
            flight.set_triggers(core)
            options.path = options.flight.make_ring(core)
            return False, -1
        self._is_new = not os.path.lexists(options.path)
        hold = options.hold and os.path.isfile(options.path)
        return hold, open_trace(options.path, force=options.force, lock=core.lock_file)

    def start_in_child(self, parent: "Recording", flow: int) -> None:
        """In a forked child, before its first line: records it as `parent` recorded the one
        that forked. Raises what start() raises, and OSError."""
        core, family = parent._core, parent.family
        assert core is not None
        assert family is not None
        self._tool, parent._tool = parent._tool, None
        self._disarms, parent._disarms = parent._disarms, {}
        self._argv = parent._argv
        parent_pid = os.getppid() or family.pid  # 0: this is the first one in a namespace
        family = family.enter(core, "fork", parent_pid)
        self._start_as_member(core, family, flow, child_processes.thread_name())
        order.give_again(core)
        self._arm_again(core)
        core.hide_descriptors()

    def start_in_family(self, core: "ModuleType", family: Family, flow: int) -> None:
        """In a child that is a new Python, before its first line. Raises what start() raises,
        and OSError."""
        self._start_as_member(core, family, flow, "MainThread")
        order.give(core, self.options, family, self._argv)
        child_processes.register(core)
        self._arm(core)

    def _start_as_member(
        self, core: "ModuleType", family: Family, flow: int, thread: str
    ) -> None:
        if not family.member:
            raise TracerError("there are as many processes as may be recorded")
        new = ""
        try:
            if self.options.flight is None:
                new, fd = family.open(core)
                self.options.path = new
            else:
                _, fd = self._prepare(core)
            core.kept["recording"] = self
            self._open(core, fd, family, hold=False)
        except BaseException:
            core.kept.pop("recording", None)
            core.leave_family()
            if new:
                discard(new)
            raise
        if family.origin == "exec":
            core.count_program()
        self._has_begun = True
        core.process_started(flow)
        core.name_thread(os.getpid(), thread)
        core.heed_kill()  # from here on its beginning is told

    def _open(self, core: "ModuleType", fd: int, family: Family, hold: bool) -> None:
        options = self.options
        python = "{}.{}.{}".format(*sys.version_info[:3])
        flight = options.flight
        argv = self._argv
        if not argv:
            argv = [core.shown_text(word) for word in masked(options.argv or sys.argv)]
            self._argv = argv
        begun = False
        try:
            core.start(
                fd,
                options.buffer_bytes,
                b"\0".join(word.encode() for word in argv),
                python,
                " ".join(argv),
                ",".join(options.signals),
                options.io_threshold_us * 1000,
                hold,
                family.number,
                family.member,
                family.parent_pid,
                family.origin,
                options.path if flight else "",
                flight.window_ns if flight else 0,
                flight.most_bytes if flight else 0,
                flight.folder if flight else os.path.dirname(os.path.abspath(options.path)),
            )
            begun = True
        except OSError as error:
            raise cannot_write(options.path, error) from None
        finally:
            if not begun and flight is not None:
                flight.remove_ring(options.path)
            elif not begun and self._is_new:
                discard(options.path)
        core.call_threshold(options.io_threshold_us * 1000)
        core.keep_stacks(options.stack_depth)
        core.code_folder(os.__file__.rpartition("/")[0] + "/", False)
        if options.control:
            path = core.shown_text(os.path.abspath(options.path))
            mode = "file" if flight is None else "flight"
            reason = control.listen(core, mode, path, " ".join(argv), python)
            if reason:
                core.note("control", core.shown_text(reason), False)
        debug.arm(core)
        self._core, self.family = core, family
        self._had_gil = _has_gil()

    def _replace_files(self, core: "ModuleType") -> None:
        self._has_begun = True
        core.replace_file()
        if self.options.flight is None:
            discard_profiles(self.options.path)
            assert self.family is not None
            self.family.clear(core)

    def begin(self) -> None:
        """What was recorded is worth keeping: it takes the place of an earlier trace."""
        if self._core is not None and not self._has_begun:
            self._replace_files(self._core)

    def _arm(self, core: "ModuleType") -> None:
        core.watch_endings()
        self._disarms["endings"] = core.unwatch_endings
        try:
            self._tool = tool = Tool(
                core,
                self.options.cpu_hz,
                self.options.heap_rate,
                self.options.heap_seed,
            )
        except Exception as error:
            core.note("sys.monitoring", repr(error), True)
            return
        libraries.arm(core, tool)
        # The GIL first: its hooks of uvloop's calls of libc go below those of `tasks`.
        for name in ("children", *sorted(self.options.signals, key="gil".__ne__)):
            try:
                arm = children.arm if name == "children" else (SIGNALS | ON_REQUEST)[name]
                self._disarms[name] = arm(core, tool)
            except Exception as error:  # the program goes on without this signal
                tool.problem(name, str(error) or repr(error))
        core.hide_descriptors()

    def _arm_again(self, core: "ModuleType") -> None:
        """In a forked child: it has the parent's hooks. What the kernel does not pass on to it
        is begun anew."""
        core.leave_parent()
        tool = self._tool
        if tool is None:
            return
        known, tool.problems = tool.problems, []
        for signal, reason in known:
            if signal != "sched":
                tool.problem(signal, reason)
        core.go_on_watching_gil()
        if "heap" in self._disarms:  # the parent's blocks are not in this trace
            self._disarms["heap"]()
        for name in ("sched", "cpu", "heap"):
            if name in self._disarms:
                try:
                    (SIGNALS | ON_REQUEST)[name](core, tool)
                except Exception as error:
                    tool.problem(name, str(error) or repr(error))

    def problems(self) -> list[tuple[str, str]]:
        """(signal, reason) of what could not be armed."""
        return self._tool.problems if self._tool is not None else []

    def disarm(self) -> None:
        """Removes all hooks; what was recorded stays in the buffers."""
        for disarm in reversed(self._disarms.values()):
            disarm()
        self._disarms.clear()
        if self._tool is not None:
            self._tool.close()
            self._tool = None

    def finish(self) -> None:
        """Called when the process ends without Python's own end."""
        self.at_end()

    def tell_moment(self, moment: "dict[str, Any]") -> None:
        """Called on a thread of its own when a trigger has fired."""
        if self.options.flight is not None:
            self.options.flight.tell(moment)

    def place_of(self, thread: int) -> tuple[str, str]:
        """Where a thread is now: the program's innermost line, and all lines."""
        assert self._core is not None
        assert self.options.flight is not None
        return self.options.flight.place_of(self._core, thread, self.options.stack_depth)

    def crash(self) -> None:
        """Called when the process ends by a signal that it sends to itself."""
        self._crashes = True
        self.at_end()

    def replaced(self, totals: dict[str, int | str], program: bytes) -> None:
        """Called when another program takes the place of this one, without a recording."""
        if self.at_exec is not None:
            self.at_exec(Totals(totals | {"children_recorded": 0}), os.fsdecode(program))

    def stop(self, *, discards: bool = False, reason: str = "") -> Totals | None:
        """Ends the recording, and waits for those who are told of it; see end()."""
        totals = self.end(discards=discards, reason=reason)
        self.await_told()
        return totals

    def await_told(self) -> None:
        """Waits, for a second at most, until everybody has been told of the last moments.
        Their code may call the API, so whoever waits must not hold its guard."""
        if self._core is not None and self._core.kept.get("ending") is self:
            self._core.await_moments(_TOLD_MS)
            self._core.kept.pop("ending", None)

    def end(self, *, discards: bool = False, reason: str = "") -> Totals | None:
        """Ends the recording; None when it has ended before, or in a forked child.

        If it `discards`, it leaves no new file, and the earlier trace that was held. A flight
        recording leaves nothing unless the process crashes, and with a `reason` a snapshot.
        """
        if self._core is None or self._core.kept.get("recording") is not self:
            return None
        del self._core.kept["recording"]
        if not discards:
            self.begin()
        asked, begun, _, why_not = self._core.family_counts()
        self.blind_spots = self._find_blind_spots()
        if why_not:
            self.blind_spots.append(("children", f"not recorded: {why_not}"))
        if "cpu" in self.options.signals:
            self._core.note_sampler()
        if "heap" in self.options.signals:
            self._core.note_heap()
        for signal, text in self.blind_spots:
            self._core.note(signal, text, True)
        family = self.family
        assert family is not None
        self._core.seal()  # the last states of all threads are from one moment
        self.disarm()
        _tell_listening(self._core, "")
        trigger = what = ""
        if self.options.flight is not None and not reason and not discards:
            reason, trigger, what = self.options.flight.trigger_at_end()
        self._core.kept["ending"] = self  # is told of what triggers see at the very end
        totals = self._core.stop("" if discards else reason, self._crashes, trigger, what)
        if not totals:
            return None
        if discards and self.options.flight is None:
            self.is_discarded = self._is_new or not totals["bytes"]
            if self._is_new:
                discard(self.options.path)
        if not self._is_child:
            family.end(self._core, self.options.flight is not None)
        missing = max(asked - begun, 0)
        totals |= {
            "children": totals["children"] + missing,
            "children_recorded": family.children,
        }
        if family.is_first and family.member:  # it was another program before
            totals["duration_ns"] = time.monotonic_ns() - family.began_ns
        if family.joined:
            totals["bytes"] = os.path.getsize(family.renamed or family.file)
        return Totals(totals)

    @property
    def file(self) -> str:
        """What all processes of the run become part of."""
        if self.family is None:
            return self.options.path
        return self.family.renamed or self.family.file

    @property
    def _is_child(self) -> bool:
        return self.family is not None and not self.family.is_first

    def _find_blind_spots(self) -> list[tuple[str, str]]:
        """(signal, what is missing of it) for gaps that only show at the end."""
        found = []
        if "gil" in self.options.signals and _has_gil() and not self._had_gil:
            found.append(
                ("gil", "an import switched the GIL on: waits for it are not recorded")
            )
        return found


def _tell_listening(core: "ModuleType", path: str) -> None:
    """The process that answers HTTP, if there is one, learns which file is recorded now."""
    listening = core.kept.get("listening")
    if listening is not None:
        listening.tell(os.path.abspath(path) if path else "")


def _has_gil() -> bool:
    """Free-threaded builds get a GIL when they import an extension that needs it."""
    enabled: Callable[[], bool] | None = getattr(sys, "_is_gil_enabled", None)
    return enabled is None or enabled()
