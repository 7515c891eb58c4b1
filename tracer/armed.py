"""The variable TRACER: `TRACER="flight=30s,on=loop>100ms" python app.py` begins a flight
recording as soon as the program imports tracer.

    flight=TIME  dir=FOLDER  size=SIZE  on=CONDITION (several times)  cooldown=TIME
    listen or listen=ADDRESS

A mistake in it costs one line on stderr, and the program runs on. Imports nothing that a plain
`python` has not loaded already.
"""

import os
import sys

from tracer.errors import TracerError
from tracer.flight_recorder import snapshots, triggers
from tracer.flight_recorder.rings import COOLDOWN_SECONDS

VARIABLE = "TRACER"
_KNOWN = ("flight", "dir", "size", "on", "cooldown", "listen")


def arm() -> None:
    """Called when the package is imported."""
    text = os.environ.get(VARIABLE, "")
    if not text.strip() or _is_our_own():
        return
    try:
        _begin(*_parse(text))
    except (TracerError, ValueError) as error:
        _say(f"{VARIABLE}={text!r}: {error}")
    except Exception as error:  # the program runs on, whatever this interpreter lacks
        _say(f"{VARIABLE}={text!r}: cannot record: {error!r}")


def _is_our_own() -> bool:
    """Whether this process is the command line, a reader or the launcher of `tracer run`, or
    is recorded already."""
    script = (getattr(sys, "argv", None) or [""])[0]
    main = getattr(sys.modules.get("__main__"), "__file__", None) or ""
    here = __file__.rpartition("/")[0]
    if "viewer" in sys.modules or script == "-m" or os.path.basename(script) == "tracer":
        return True
    try:
        from tracer import _core
    except ImportError:  # flight() says so
        return False
    return os.path.abspath(main) == f"{here}/launch.py" or _core.is_recording()


def _parse(text: str) -> tuple[dict[str, str], list[str]]:
    """Values by name, and the conditions."""
    values: dict[str, str] = {}
    conditions: list[str] = []
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        if name not in _KNOWN:
            raise ValueError(f"{name!r} is not one of {', '.join(_KNOWN)}")
        if name == "on":
            conditions.append(value)
        else:
            values[name] = value
    for name in ("dir", "size", "on", "cooldown"):
        if "flight" not in values and (name in values or (name == "on" and conditions)):
            raise ValueError(f"{name} is for a flight recording: add flight=30s")
    return values, conditions


def _begin(values: dict[str, str], conditions: list[str]) -> None:
    if "flight" in values:
        seconds = triggers.time_ns(values["flight"]) / 1e9
        if not seconds:
            raise ValueError(f"flight={values['flight']}: not a time such as 30s or 5m")
        size = triggers.size_bytes(values.get("size", "64M"))
        if not size:
            raise ValueError(f"size={values['size']}: not a size such as 64M")
        cooldown = triggers.time_ns(values.get("cooldown", f"{COOLDOWN_SECONDS}s")) / 1e9
        if not cooldown:
            raise ValueError(f"cooldown={values['cooldown']}: not a time such as 10s or 1m")
        script = (getattr(sys, "argv", None) or ["python"])[0]
        stem = os.path.splitext(os.path.basename(script))[0] or "python"
        folder = values.get("dir") or f"{stem}.flight"
        snapshots.flight(
            folder, seconds=seconds, max_bytes=size, on=conditions, cooldown=cooldown
        )
    if "listen" in values:
        from tracer.api import listen

        address = listen(values["listen"] or None, token=os.environ.get("TRACER_TOKEN"))
        _say(f"listening on {address}")


def _say(line: str) -> None:
    try:  # noqa: SIM105 - plain python has not loaded contextlib
        os.write(2, f"tracer: {line}\n".encode(errors="backslashreplace"))
    except OSError:
        pass
