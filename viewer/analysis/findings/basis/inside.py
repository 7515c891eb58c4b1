"""Stacks within functions of libraries that are known, and what these have called."""

from collections.abc import Container, Iterable, Sequence

from viewer.trace.sites import innermost, place_of

type Known[T] = tuple[str, Container[str], T]  # part of a path, functions of it, what they are


def known_in[T](frames: Sequence[str], known: Iterable[Known[T]]) -> tuple[int, T] | None:
    """The innermost frame of such a function, by its number, and what that is."""
    for n, frame in enumerate(frames):
        for part, functions, one in known:
            if part in frame and place_of(frame).function in functions:
                return n, one
    return None


def called_by(frames: Sequence[str], n: int) -> str:
    """The user's frame that a library's frame called, by way of others of it; "" none."""
    return innermost(reversed(frames[:n]))
