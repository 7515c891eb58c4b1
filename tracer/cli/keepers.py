"""`tracer dump --retained`: asks a running program who keeps the objects of a line."""

import difflib
import json
from typing import Any

import click

from tracer.errors import TracerError
from tracer.live import client

_PATIENCE_S = 5  # until the program's GIL is free
_SEARCH_S = 10
_TIMEOUT_S = 60
_NEAREST = 5


def show(target: str, site: str, *, as_json: bool) -> None:
    """Prints the ways that lead to the objects.

    Raises TracerError when the program cannot tell, or no live object is of that line.
    """
    answer = ask(client.address_of(target), site)
    if as_json:
        click.echo(json.dumps(answer, indent=2))
        return
    for line in answer["ways"]:
        click.echo(line)


def ask(
    address: client.Address,
    site: str,
    patience_s: float = _PATIENCE_S,
    search_s: float = _SEARCH_S,
) -> dict[str, Any]:
    """What the program answers. Raises TracerError when that is not who keeps the objects."""
    if not site.strip() or "\n" in site:
        raise TracerError(f"{site!r} is not a place: give a function, or file.py:12.")
    limits = f"{patience_s * 1000:.0f} {search_s * 1000:.0f}"
    answer = client.ask(address, f"retained {limits} {site}", timeout_s=_TIMEOUT_S)
    if "ways" not in answer:
        nearest = _nearest(site, answer["sites"])
        raise TracerError(f"no live sampled object was allocated at {site!r}. {nearest}")
    return {"schema": 1, "pid": answer["pid"], "site": site, "ways": answer["ways"]}


def _nearest(site: str, lines: list[str]) -> str:
    """The places that are called alike, as they may be asked for."""
    names: dict[str, str] = {}
    for line in (one for one in lines if one and not one.startswith("<frozen ")):
        where, _, function = line.rpartition(" ")
        short = where.rpartition("/")[2]
        place = f"{short} {function}"
        names |= dict.fromkeys((function, function.rpartition(".")[2], short, place), place)
    if not names:
        return "None has been sampled yet."
    alike = difflib.get_close_matches(site, names, n=_NEAREST, cutoff=0.5)
    shown = list(dict.fromkeys(names[name] for name in alike))
    if not shown:
        return "No place with live objects is called like it."
    return f"The nearest: {', '.join(shown)}"
