"""Choices that suggest the nearest word, and combinations of options that are refused."""

from collections.abc import Sequence
from typing import NoReturn

import click
from click.core import ParameterSource


class Choice(click.Choice[str]):
    """One of some words; a wrong word gets a suggestion."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        import difflib  # only a mistake needs it

        near = difflib.get_close_matches(str(value), self.choices, 1)
        hint = f"Did you mean '{near[0]}'?" if near else self._choose()
        return f"'{value}' is not known. {hint}"

    def get_missing_message(self, param: click.Parameter, ctx: click.Context | None) -> str:
        return self._choose()

    def _choose(self) -> str:
        return f"Choose one of: {', '.join(self.choices)}."


def given(ctx: click.Context) -> set[str]:
    """The names of the parameters that the user typed."""
    return {
        name
        for name in ctx.params
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }


def exclude(ctx: click.Context, *groups: Sequence[str]) -> None:
    """Refuses a command line with options of more than one group."""
    typed = given(ctx)
    present = [[name for name in group if name in typed] for group in groups]
    used = [names[0] for names in present if names]
    if len(used) > 1:
        _refuse(ctx, used[0], used[1], "{} and {} cannot be used together.")


def need(ctx: click.Context, option: str, *others: str) -> None:
    """Refuses an option that does nothing without one of the others."""
    if option in given(ctx) and not {*others} & given(ctx):
        _refuse(ctx, option, others[0], "{} does nothing without {}.")


def _refuse(ctx: click.Context, first: str, second: str, text: str) -> NoReturn:
    shown = {parameter.name: parameter.opts[-1] for parameter in ctx.command.params}
    raise click.UsageError(text.format(shown[first], shown[second]), ctx)
