"""What the program is asked to do: collect garbage, and record for some seconds while it
records nothing by itself. A thread of its recorder does it (tracer/live/on_demand.py)."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from time import monotonic

from viewer.endpoints.limits import PROGRAM_S

ANSWER = b"!"  # begins the program's answer: !NUMBER WHY-NOT
_COLLECT, _RECORD, _KEEP, _END = "collect", "record", "keep", "end"


class NotDone(Exception):
    """Why the program did not do it: a sentence."""


class Busy(NotDone):
    """It records for another request."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "The program is being recorded for another request. Ask again when that is "
            "ready, or let a flight recording run: it answers all."
        )
        self.seconds = max(ceil(seconds), 1)  # until it may be ready


class Recorded:
    """A recording that the program makes on demand."""

    def __init__(self, path: str, keep: Callable[[str], None]) -> None:
        self._path, self._keep = path, keep

    def trace(self) -> str:
        """Ends it: the file of what it has. Raises NotDone."""
        self._keep(self._path)
        return self._path


class Demands:
    """Asks over a pipe. `say` writes a line; `answers` are those of the program."""

    def __init__(self, say: Callable[[str], None], answers: SimpleQueue[bytes]) -> None:
        self._say, self._answers = say, answers
        self._turn = Lock()  # one at a time
        self._records = Lock()  # one recording at a time
        self._until = 0.0  # for which time the last recording was asked for
        self._number = 0
        self._folder = ""

    def collect(self) -> None:
        """Has the program collect its garbage. Raises NotDone."""
        self._ask(_COLLECT)

    @contextmanager
    def recording(self, seconds: float, signals: str) -> Iterator[Recorded]:
        """Has the program record these signals until the block ends. Raises NotDone; Busy
        while another recording goes on."""
        if not self._records.acquire(blocking=False):
            raise Busy(self._until - monotonic())
        self._until = monotonic() + seconds
        try:
            with tempfile.TemporaryDirectory(prefix="recording-", dir=self._own()) as folder:
                try:  # it may do it although it is late to say so
                    self._ask(f"{_RECORD} {seconds:g} {signals} {folder}")
                    yield Recorded(
                        str(Path(folder) / "part.pftrace"),
                        lambda path: self._ask(f"{_KEEP} {path}"),
                    )
                finally:
                    with suppress(NotDone):
                        self._ask(_END)
        finally:
            self._records.release()

    def close(self) -> None:
        """Removes what is left, when the program has ended."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _own(self) -> str:
        """A folder that only this user can use, whose path is one word."""
        if not os.path.isdir(self._folder):  # the program removes it when it gives up
            self._folder = tempfile.mkdtemp(prefix=f"tracer-{os.getpid()}-")
        return self._folder

    def _ask(self, what: str) -> None:
        with self._turn:
            self._number += 1
            try:
                self._say(f"{self._number} {what}")
            except OSError:
                raise NotDone("The program does not take requests any more.") from None
            why_not = self._answer(self._number)
        if why_not:
            raise NotDone(why_not)

    def _answer(self, number: int) -> str:
        until = monotonic() + PROGRAM_S
        while True:
            try:
                answer = self._answers.get(timeout=max(until - monotonic(), 0))
            except Empty:
                raise NotDone(
                    f"The program did not do what was asked within {PROGRAM_S} s: "
                    "a thread of it keeps the GIL, or it is stopped."
                ) from None
            told, _, why_not = answer.decode(errors="replace").partition(" ")
            if told == str(number):  # others came too late
                return why_not
