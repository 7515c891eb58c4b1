"""Who keeps memory: `tracer.retained`, and the answer at the end of `run --retained`."""

from tracer.errors import TracerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 10.0


def retained(site: str, *, seconds: float = SECONDS) -> "list[str]":
    """Tells who keeps the live objects that were allocated at a line, while it is recorded.

    `site` is a function, or the end of `path/file.py:12 function` or of `path/file.py:12`.
    Each line of the answer is a way from a variable to such objects. The search holds the
    GIL for at most two milliseconds at a time, and takes `seconds` at most; the calling thread
    waits for it.

    Raises TracerError when allocations are not recorded, or another thread asks already.
    """
    try:
        from tracer import _core
    except ImportError as error:
        raise TracerError(f"cannot tell who keeps memory: no C core ({error})") from None
    recording = _core.kept.get("recording")
    if recording is None or "heap" not in recording.options.signals:
        raise TracerError(
            "cannot tell who keeps memory: allocations are not recorded. "
            'Use tracer run --heap, or add "heap" to the signals of start().'
        )
    from tracer.memory import ways

    return ways.lines_of(site, seconds)


def answer(site: bytes, seconds: float) -> bytes:
    """The same for another process, on a thread that runs nothing else: lines, of which the
    first says what the others are. "sites" has the lines that do have live objects, where the
    one asked for has none."""
    try:
        from tracer.memory import ways

        name = site.decode(errors="replace")
        ways_to = ways.lines_of(name, seconds, ways.ALL_CALLS)
        if ways_to == [ways.nothing_of(name)]:
            lines = ["sites", *ways.sites()]
        else:
            lines = ["ways", *ways_to]
    except Exception as problem:  # who asks is told, the program is not
        lines = ["refused", str(problem) or type(problem).__name__]
    text = "\n".join(" ".join(line.splitlines()) for line in lines)
    return text.encode(errors="backslashreplace")


def at_exit(site: str) -> "Callable[[], list[str]]":
    """To be called when nothing can be imported, and nothing may be raised any more."""
    from tracer.memory import ways

    def lines() -> list[str]:
        try:
            return ways.lines_of(site, SECONDS)
        except Exception as problem:  # the rest of the recording is worth more
            return [f"cannot tell who keeps {site!r}: {problem}"]

    return lines
