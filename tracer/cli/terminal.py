"""The screen of `tracer top`, drawn anew every second."""

import contextlib
import dataclasses
import json
import os
import select
import shutil
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator

import click

from tracer.errors import TracerError
from tracer.live.client import NotLiveError
from tracer.live.screen import SORTS, screen, whole
from tracer.live.source import counters_of
from tracer.live.view import Counters, View, view

type Ask = Callable[[], Counters]

# The alternate screen and no cursor; and back.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def views(ask: Ask, interval_s: float) -> Iterator[View]:
    """One an interval; whoever takes them waits in between. The first is of the time between
    two answers."""
    ask = _of_one(ask)
    before: Counters = ask()
    while True:
        yield_at = time.monotonic() + interval_s
        while (left := yield_at - time.monotonic()) > 0:
            time.sleep(left)
        now = ask()
        while now["now_ns"] == before["now_ns"]:  # the recorder has made no pass meanwhile
            now = ask()
        yield view(before, now)
        before = now


def _of_one(ask: Ask) -> Ask:
    """The same as long as one process answers: counters of two cannot be compared."""
    first: Counters = {}

    def asked() -> Counters:
        nonlocal first
        now = ask()
        first = first or now
        if now["pid"] != first["pid"]:
            pids = f"{first['pid']} and {now['pid']}"
            raise TracerError(f"several processes answer there ({pids}). Give the pid of one.")
        if now["start_unix_ns"] != first["start_unix_ns"]:
            raise NotLiveError("another recording has begun there.")
        return now

    return asked


def as_json(one: View) -> str:
    return json.dumps({"schema": 1} | dataclasses.asdict(one))


def is_terminal() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def batch(ask: Ask, interval_s: float, sort: str, *, in_json: bool) -> None:
    """Every view in full, one after the other, until the recording ends."""
    for number, one in enumerate(views(ask, interval_s)):
        if number and not in_json:
            click.echo()
        click.echo(as_json(one) if in_json else "\n".join(whole(one, sort)))
        sys.stdout.flush()


@contextlib.contextmanager
def full_screen() -> Iterator[None]:
    """The terminal is as before afterwards, however this ends."""
    keyboard = sys.stdin.fileno() if sys.stdin.isatty() else None
    before = termios.tcgetattr(keyboard) if keyboard is not None else None
    if keyboard is not None:
        tty.setcbreak(keyboard)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        sys.stdout.write(ENTER)
        yield
    finally:
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
        if keyboard is not None and before is not None:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def interactive(ask: Ask, interval_s: float, sort: str) -> None:
    """Until the recording ends or q is pressed."""
    ask = _of_one(ask)
    before: Counters = ask()
    shown = view(None, before)
    with full_screen():
        while True:
            draw(shown, sort)
            until = time.monotonic() + interval_s
            while (left := until - time.monotonic()) > 0:
                key = pressed(left)
                if key == "q":
                    return
                if key in SORTS:
                    sort = key
                    draw(shown, sort)
            now = ask()
            if now["now_ns"] != before["now_ns"]:
                shown, before = view(before, now), now


def draw(one: View, sort: str) -> None:
    size = shutil.get_terminal_size()
    lines = screen(one, sort, size.columns, size.lines, keys=True)
    body = "\n".join(f"{line}{CLEAR_LINE}" for line in lines)
    sys.stdout.write(f"{HOME}{body}{CLEAR_BELOW}")
    sys.stdout.flush()


def pressed(seconds: float) -> str:
    """The next key; "" if none is pressed in time, or there is no keyboard."""
    if not sys.stdin.isatty():
        time.sleep(seconds)
        return ""
    if not select.select([sys.stdin], [], [], seconds)[0]:
        return ""
    return os.read(sys.stdin.fileno(), 1).decode(errors="replace") or "q"


def show(
    target: str | None,
    interval_s: float,
    sort: str,
    *,
    once: bool,
    in_batch: bool,
    in_json: bool,
) -> None:
    """What `tracer top` does, with its options."""
    ask = counters_of(target)
    key = next(key for key, (name, _) in SORTS.items() if name == sort)
    if once:
        one = next(views(ask, interval_s))
        click.echo(as_json(one) if in_json else "\n".join(whole(one, key)))
        return
    ask()  # what cannot be asked at all is refused
    try:
        if in_batch or in_json or not is_terminal():
            batch(ask, interval_s, key, in_json=in_json)
        else:
            interactive(ask, interval_s, key)
    except NotLiveError:
        click.echo("tracer: the recording has ended.", err=True)
