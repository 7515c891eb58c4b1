"""A value that is made while its user does something else."""

import threading
from collections.abc import Callable


class Later[T]:
    """Makes a value on its own thread, at once; get() waits for it."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="later", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._made.append(self._make())
        except Exception as error:  # raised by get()
            self._error = error

    def get(self) -> T:
        """The value, or the exception that making it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made[0]
