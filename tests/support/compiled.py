"""C code that a test's program loads."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest


def compiled(source: str, directory: Path) -> str:
    """The path of a shared object."""
    compiler = shutil.which((sysconfig.get_config_var("CC") or "cc").split()[0])
    if compiler is None:
        pytest.skip("no C compiler")
    file, library = directory / "block.c", directory / "block.so"
    file.write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(file)], check=True)
    return str(library)
