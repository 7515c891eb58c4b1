"""The index for a browser: which addresses there are, and what each answers."""

import html
from collections.abc import Sequence

PPROF = "/debug/pprof/"
PAGE = "/debug/tracer/"
NAMED = {
    "allocs": "what was allocated, freed or not",
    "block": "where threads and tasks waited for locks, queues and events",
    "goroutine": "all threads and tasks with their stacks; debug=2 shows each by itself",
    "heap": "memory that was allocated and not freed",
    "mutex": "who made others wait for a lock",
    "threadcreate": "where threads were started",
}
_OTHERS = {
    "cmdline": "the command line of the program",
    "profile": "CPU time of some seconds (seconds=30)",
    "symbol": "names of the addresses in text forms",
    "trace": "a trace of the next seconds (seconds=1)",
}


def index(argv: Sequence[str], pid: int) -> str:
    """The page of a program."""
    rows = [
        f'<tr><td><a href="{name}{"?debug=1" if name in NAMED else ""}">{name}</a></td>'
        f"<td>{html.escape(text)}</td></tr>\n"
        for name, text in sorted((NAMED | _OTHERS).items())
    ]
    title = html.escape(f"{PPROF} of {' '.join(argv)}")
    return (
        f"<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n<title>{title}</title>\n"
        f"<h1>{title}</h1>\n<p>Process {pid}.</p>\n<table>\n{''.join(rows)}"
        '</table>\n<p><a href="goroutine?debug=2">all threads and tasks one by one</a>; '
        f'<a href="{PAGE}">timelines, locks and causes</a>; '
        f'<a href="{PAGE}metrics">counters</a></p>\n</html>\n'
    )
