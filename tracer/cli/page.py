"""Commands that show a trace in a browser: view, open."""

import sys
from pathlib import Path

import click

from tracer.cli.names import library_names, traces
from tracer.cli.viewing import viewer_command


def page_options(command: click.Command) -> click.Command:
    """The options of both commands that open a browser."""
    for option in (
        click.option(
            "--ui-dir",
            type=click.Path(path_type=Path, file_okay=False, exists=True),
            help="Use this local copy of the Perfetto UI.",
        ),
        click.option(
            "--no-browser",
            is_flag=True,
            help="Print the address instead of opening a browser.",
        ),
        click.option(
            "--port",
            type=click.IntRange(0, 65535),
            default=0,
            help="The port to serve on. [default: a free one]",
        ),
    ):
        command = option(command)
    return command


@page_options
@library_names
@click.command()
@traces
def view(
    trace: Path | tuple[Path, ...],
    port: int,
    no_browser: bool,
    ui_dir: Path | None,
    names: str,
) -> None:
    """Show a trace in the browser: timelines, locks, causes.

    A local server shows the page until Ctrl-C.
    """
    viewer = viewer_command("view")
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
@traces
def open_(
    trace: Path | tuple[Path, ...], port: int, no_browser: bool, ui_dir: Path | None
) -> None:
    """Open a trace in the Perfetto UI.

    This uses a local copy of the UI if there is one, else ui.perfetto.dev. The trace is not
    uploaded: a local server hands it to your browser until Ctrl-C.
    """
    viewer = viewer_command("view")
    viewer.open_ui(trace, port=port, browser=not no_browser, ui_dir=ui_dir, out=sys.stdout)


COMMANDS = (view, open_)
