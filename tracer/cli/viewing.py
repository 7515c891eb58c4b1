"""The viewer's commands, imported by name: the recorder must not depend on the viewer."""

import gc
import importlib
from types import ModuleType


def viewer_command(name: str) -> ModuleType:
    """The module of a command. A collection would look through a hundred modules in vain."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(f"viewer.commands.{name}")
    finally:
        if was_enabled:
            gc.enable()
