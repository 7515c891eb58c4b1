"""A value that is being made while its user does something else."""

import threading
from collections.abc import Callable


class Later[T]:
    """Makes a value on a thread of its own, at once; whoever asks for it waits until then."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="later", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._made.append(self._make())
        except Exception as error:  # raised where the value is asked for
            self._error = error

    def get(self) -> T:
        """The value. Raises what making it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made[0]
