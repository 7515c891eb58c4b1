"""Programs that make a flight recording of themselves, and what they leave."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import PROGRAM_TIMEOUT_S
from tests.support.validator.rules import Summary, validate

FLIGHT = "import tracer\ntracer.flight('ring', seconds=1, max_bytes=4 << 20)\n"


class Runner:
    """Runs programs that record themselves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ring = folder / "ring"

    def __call__(self, source: str, expect: int = 0) -> str:
        """What the program printed."""
        done = subprocess.run(
            [sys.executable, "-c", FLIGHT + source],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROGRAM_TIMEOUT_S,
            check=False,
        )
        assert done.returncode == expect, done.stderr
        self.stderr = done.stderr
        return done.stdout

    def left(self) -> list[str]:
        """What is in the folder, without the numbers."""
        return sorted(path.suffix for path in self.ring.iterdir())


def summary(path: Path) -> Summary:
    return validate(path.read_bytes())
