"""`tracer dump`: of a trace, or of a program that runs."""

import sys
from pathlib import Path

import click

from tracer.cli.names import files, library_names
from tracer.cli.options import exclude
from tracer.cli.viewing import viewer_command


@library_names
@click.command()
@files("target", required=False)
@click.option(
    "--at",
    metavar="TIME",
    help="The moment: 12.3s or 250ms after the start, or a time of day such as 14:03:22.5. "
    "[default: the last one]",
)
@click.option("--tasks", is_flag=True, help="Print only tasks.")
@click.option("--threads", is_flag=True, help="Print only threads.")
@click.option("--full", is_flag=True, help="Print them one by one, as Go does with debug=2.")
@click.option(
    "--compact", is_flag=True, help="Print and count stacks as Go does with debug=1."
)
@click.option(
    "--retained",
    metavar="SITE",
    help="Print who keeps the objects that a line allocated (needs a pid, and run --heap).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with times in ns.")
@click.pass_context
def dump(
    ctx: click.Context,
    target: Path | tuple[Path, ...],
    at: str | None,
    tasks: bool,
    threads: bool,
    full: bool,
    compact: bool,
    retained: str | None,
    as_json: bool,
    names: str,
) -> None:
    """Show what all threads and tasks did at a moment, or do now.

    TARGET is a trace, or the pid of a program that is being recorded. Without it, the command
    takes the only recording there is. Threads and tasks with identical stacks are grouped.
    Each group has its stack or chain of awaits, what it waits for, since when, and behind
    whom. "stack unknown" means that the trace does not have the stack.

    With --retained it says which variables lead to the live objects that a line allocated,
    such as app.CACHE['ann'] -> list[3] -> Order. SITE is a function, file.py:12, or a row of
    `tracer report --section memory`.
    """
    from tracer.live import client  # other commands do without its sockets

    exclude(ctx, ["tasks"], ["threads"], ["compact"])
    exclude(ctx, ["full"], ["compact"], ["as_json"])
    if target == ():
        target = Path(str(client.only_address().pid))
    if retained is not None:
        exclude(ctx, ["retained"], ["at", "tasks", "threads", "full", "compact", "names"])
        if not (isinstance(target, Path) and is_pid(target)):
            raise click.UsageError("--retained is for a program that runs: give its pid.", ctx)
        from tracer.cli import keepers

        keepers.show(str(target), retained, as_json=as_json)
        return
    forms = {"full": full, "compact": compact, "json": as_json}
    form = next((form for form, is_wanted in forms.items() if is_wanted), "text")
    only = "task" if tasks else "thread" if threads else None
    viewer = viewer_command("dump")
    if not (isinstance(target, Path) and is_pid(target)):
        viewer.dump_trace(target, at=at, only=only, form=form, out=sys.stdout, names=names)
        return
    if at is not None:
        raise click.UsageError("--at is for a trace, not for a program that runs.", ctx)
    told = client.ask(client.address_of(str(target)), "stacks")
    viewer.dump_live(
        Path(told["file"]),
        told["pid"],
        told["now_ns"],
        only=only,
        form=form,
        out=sys.stdout,
        names=names,
    )


def is_pid(target: Path) -> bool:
    """Whether it is a number, and no file is called so."""
    return str(target).isdecimal() and str(target).isascii() and not target.exists()


COMMANDS = (dump,)
