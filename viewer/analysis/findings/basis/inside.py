"""Stacks within functions of libraries that are known, and what these have called."""

from collections.abc import Container, Iterable, Sequence
from itertools import zip_longest
from re import compile as pattern

from viewer.trace.sites import innermost, place_of

# What decorators mostly call the function that they put in place of another.
_WRAPPER = pattern(r"<locals>\._*(?:inner|wrap|decorated)[a-z_]*$")

type Known[T] = tuple[str, Container[str], T]  # part of a path, functions of it, what they are


def known_in[T](frames: Sequence[str], known: Iterable[Known[T]]) -> tuple[int, T] | None:
    """The innermost frame of such a function, by its number, and what that is."""
    for n, frame in enumerate(frames):
        for part, functions, one in known:
            if part in frame and place_of(frame).function in functions:
                return n, one
    return None


def called_by(frames: Sequence[str], n: int) -> str:
    """The user's frame that a library's frame called, by way of others of it; "" none. Of a
    decorator's wrapper, what it called: all that are decorated have the same one."""
    inside = frames[:n][::-1]
    for frame, called in zip_longest(inside, inside[1:], fillvalue=""):
        if innermost((frame,)):
            is_wrapper = bool(_WRAPPER.search(place_of(frame).function))
            if not is_wrapper or not innermost((called,)):
                return frame
    return ""
