"""Commands that show a trace in a browser: view, open."""

import importlib
import sys
from pathlib import Path

import click

from tracer.cli.names import library_names


def page_options(command: click.Command) -> click.Command:
    """What both ways to look at a trace in a browser take."""
    for option in (
        click.option(
            "--ui-dir",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            help="A local copy of the Perfetto UI.",
        ),
        click.option("--no-browser", is_flag=True, help="Print the address instead."),
        click.option(
            "--port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]"
        ),
    ):
        command = option(command)
    return command


@page_options
@library_names
@click.command()
@click.argument("trace", type=click.Path(path_type=Path))
def view(trace: Path, port: int, no_browser: bool, ui_dir: Path | None, names: str) -> None:
    """Show a trace in the browser, from a server of its own, until Ctrl-C."""
    viewer = importlib.import_module("viewer.commands.view")
    viewer.view(
        trace,
        port=port,
        browser=not no_browser,
        ui_dir=ui_dir,
        out=sys.stdout,
        names=names,
    )


@page_options
@click.command(name="open")
@click.argument("trace", type=click.Path(path_type=Path))
def open_(trace: Path, port: int, no_browser: bool, ui_dir: Path | None) -> None:
    """Show a trace in the Perfetto UI: a local copy, else ui.perfetto.dev."""
    viewer = importlib.import_module("viewer.commands.view")
    viewer.open_ui(trace, port=port, browser=not no_browser, ui_dir=ui_dir, out=sys.stdout)


COMMANDS = (view, open_)
