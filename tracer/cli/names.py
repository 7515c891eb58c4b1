"""The option of all reading commands that says whose code names a wait."""

import click

library_names = click.option(
    "--library-names",
    "names",
    flag_value="library",
    default="user",
    help="Name waits and tasks after the library's code, not after yours.",
)
