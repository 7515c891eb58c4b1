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
@click.option("--once", is_flag=True, help="Show one interval in full, and end.")
@click.option(
    "--batch",
    "in_batch",
    is_flag=True,
    help="Show interval after interval in full, without a screen. So it does if the output is "
    "no terminal.",
)
@click.option("--json", "in_json", is_flag=True, help="One line of JSON for each interval.")
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

    ADDRESS is where it listens: 127.0.0.1:6060, or a URL, with its token as the password of
    the URL or in TRACER_TOKEN. Or it is the path of its socket. Without either, there must be
    one recording only.
    """
    from tracer.cli import terminal  # it takes longer to import than all other commands

    terminal.show(target, interval_s, sort, once=once, in_batch=in_batch, in_json=in_json)


COMMANDS = (top,)
