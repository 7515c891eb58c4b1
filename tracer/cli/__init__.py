"""The command line: all commands together; every error ends here as one line.

It never runs in the traced process: `tracer run` replaces itself with a fresh interpreter.
"""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from tracer import __version__
from tracer.errors import TracerError

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 1  # as in click
# Where each command is: only that one's module is imported, which takes as long as reading
# a small trace.
MODULES = {
    "diff": "read",
    "dump": "dump",
    "export": "read",
    "metrics": "live",
    "open": "page",
    "pprof": "read",
    "ps": "live",
    "report": "read",
    "run": "record",
    "snapshot": "live",
    "top": "top",
    "view": "page",
    "why": "read",
}


# These read a trace, print, and end: a collection would look through millions of objects in
# vain, and the last one, as they end, at all of them.
_READ_AND_END = ("diff", "report", "why")


class Commands(click.Group):
    """The commands of MODULES, imported when they are asked for."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in MODULES:
            self.list_commands(ctx)  # one of them may have been meant
        elif cmd_name not in self.commands:
            module = import_module(f"tracer.cli.{MODULES[cmd_name]}")
            for command in module.COMMANDS:
                self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        for name in MODULES:
            self.get_command(ctx, name)
        return super().list_commands(ctx)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    epilog="First steps: `tracer run script.py`, then `tracer report script.pftrace`.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, message="tracer %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Record a Python program, and find out why its tasks and threads waited."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(EXIT_USAGE)


def every_command() -> list[click.Command]:
    """All commands, by name."""
    names = commands.list_commands(click.Context(commands))
    return [commands.commands[name] for name in names]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code. Every refusal is one line on stderr."""
    if arguments is None and "".join(sys.argv[1:2]) in _READ_AND_END:
        gc.disable()  # the process is ours
    try:
        code = commands.main(arguments, prog_name="tracer", standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        return refuse(usage_text(error), EXIT_USAGE)
    except click.ClickException as error:
        return refuse(error.format_message(), error.exit_code)
    except TracerError as error:
        return refuse(str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader has gone. Nothing may be flushed into the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except OSError as error:
        return refuse(_text(error), 1)
    return code if isinstance(code, int) else 0


def _text(error: OSError) -> str:
    """Most name a file; what does not is about our own output."""
    return str(error) if error.filename else f"cannot write the output: {error.strerror}."


def usage_text(error: click.UsageError) -> str:
    path = error.ctx.command_path if error.ctx is not None else "tracer"
    message = error.format_message().rstrip()
    return f"{message}{'' if message[-1:] in '.?!' else '.'} See '{path} --help'."


def refuse(line: str, exit_code: int) -> int:
    click.echo(f"tracer: {' '.join(line.splitlines())}", err=True)
    return exit_code
