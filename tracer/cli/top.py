"""`tracer top`: what a recorded program does, every second."""

import click

SORTS = ("running", "ready", "steps", "live", "longest step")  # as in tracer.live.screen


@click.command()
@click.argument("target", metavar="[PID|ADDRESS]", required=False)
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(0.1, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to ask.",
)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="running",
    show_default=True,
    help="How to sort coroutines.",
)
@click.option("--once", is_flag=True, help="Print one interval in full, then exit.")
@click.option(
    "--batch",
    "in_batch",
    is_flag=True,
    help="Print interval after interval in full. This is the default if the output is not a "
    "terminal.",
)
@click.option("--json", "in_json", is_flag=True, help="Print one line of JSON per interval.")
def top(
    target: str | None,
    interval_s: float,
    sort: str,
    *,
    once: bool,
    in_batch: bool,
    in_json: bool,
) -> None:
    """Show what a recorded program does, every second.

    ADDRESS is where it listens: 127.0.0.1:6060, or a URL, with the token in TRACER_TOKEN or as
    the URL's password. It may also be the path of the program's socket. Without either, the
    command takes the only recording there is.
    """
    from tracer.cli import terminal  # it takes longer to import than all other commands

    terminal.show(target, interval_s, sort, once=once, in_batch=in_batch, in_json=in_json)


COMMANDS = (top,)
