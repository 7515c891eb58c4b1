"""What all reading commands take: traces, and whose code names a wait."""

from collections.abc import Callable
from pathlib import Path

import click


def _one_or_more(
    _ctx: click.Context, _parameter: click.Parameter, paths: tuple[Path, ...]
) -> Path | tuple[Path, ...]:
    return paths[0] if len(paths) == 1 else paths


def files(
    name: str, *, required: bool = True
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """The argument of a command that reads one trace or several as one, files or folders."""
    return click.argument(
        name,
        metavar=f"{name.upper()}..." if required else f"[{name.upper()}...]",
        nargs=-1,
        required=required,
        type=click.Path(path_type=Path),
        callback=_one_or_more,
    )


traces = files("trace")

library_names = click.option(
    "--library-names",
    "names",
    flag_value="library",
    default="user",
    help="Name waits and tasks after the library's code instead of your own.",
)
