"""Pools inside a notebook: the kernel is another process, and its pool's workers are, too."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.managing import WAIT_S, tracing
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.managers

CELLS = (
    """\
import multiprocessing, os, threading, time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
lock = threading.Lock()
def hold(n):
    with lock:
        time.sleep(0.03)  # planted
    return n * n
""",
    """\
with ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(hold, range(24))))
""",
    """\
with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
    print(sorted(pool.map(pow, [1, 2, 3], [2, 2, 2])))
    open("pids", "w").write(" ".join(map(str, (os.getpid(), *pool._processes))))
""",
)
RUN = f"""\
import sys
import nbformat
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
cells = [nbformat.v4.new_code_cell(cell) for cell in {CELLS!r}]
notebook = nbformat.v4.new_notebook(cells=cells)
manager = AsyncKernelManager()
manager._kernel_spec = KernelSpec(
    argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{{connection_file}}"],
    language="python", display_name="Python",
)
NotebookClient(notebook, km=manager, timeout={WAIT_S}, startup_timeout={WAIT_S}).execute()
for cell in notebook.cells:  # what one call prints may come in several pieces
    print("".join(each.get("text", str(each)) for each in cell.outputs), end="")
"""


def test_pools_in_a_notebook(tmp_path: Path) -> None:
    """The same output; kernel and workers are in the trace, and the planted lock is found."""
    if find_spec("nbclient") is None or find_spec("ipykernel") is None:
        pytest.skip("ipykernel has no wheel for this Python")
    (tmp_path / "run.py").write_text(RUN)
    trace = tmp_path / "t.pftrace"
    # IPython and Jupyter write into these.
    places = {name: str(tmp_path) for name in ("HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR")}
    plain, traced = (
        subprocess.run(
            [*python, "run.py"],
            cwd=tmp_path,
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            timeout=2 * WAIT_S,
        )
        for python in ([sys.executable], tracing(trace))
    )
    assert traced.stdout == plain.stdout == "4324\n[1, 4, 9]\n", traced.stderr
    assert (traced.returncode, plain.returncode) == (0, 0)
    pids = set(map(int, (tmp_path / "pids").read_text().split()))
    recorded = {each.pid for each in read_trace(trace).processes if each.recording}
    assert len(pids) == 3
    assert pids <= recorded
    command = [sys.executable, "-m", "tracer", "report", str(trace), "--section", "findings"]
    said = " ".join(subprocess.check_output(command, text=True).split())
    assert "In `ipykernel_launcher`: Lock convoy: " in said
