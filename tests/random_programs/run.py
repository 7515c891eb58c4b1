"""Runs one seed alone and traced, checks its trace against its log, report and why."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from tests.random_programs import facts, plan
from tests.random_programs.check import Wrong, check
from tracer import cli

PROGRAM = Path(__file__).parent / "program.py"
PROJECT = Path(__file__).parents[2]
TIMEOUT_S = 100  # longer than a program's own time limit
READINGS = (("report",), ("report", "--json"), ("why",), ("why", "--json"))


@dataclass(slots=True)
class Ended:
    """How a program ended. A code of None means that it did not."""

    code: int | None
    stdout: str
    stderr: str


@dataclass(slots=True)
class Outcome:
    seed: int
    wrong: list[Wrong] = field(default_factory=list)
    facts: int = 0


def run_program(words: list[str], directory: Path, name: str) -> Ended:
    """Runs it in its own process group; if it hangs, stderr ends with its threads' stacks."""
    paths = [directory / f"{name}.stdout", directory / f"{name}.stderr"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            start_new_session=True,
        )
        code: int | None
        try:
            code = process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            code = None
            os.killpg(process.pid, signal.SIGABRT)
            process.wait()
    return Ended(code, *(path.read_text(errors="replace") for path in paths))


def run_seed(seed: int, directory: Path, left_out: Container[str] = plan.OPEN) -> Outcome:
    outcome = run_plan(plan.make_plan(seed, left_out), directory)
    outcome.wrong = [each for each in outcome.wrong if each.kind not in left_out]
    return outcome


def run_plan(made: plan.Plan, directory: Path) -> Outcome:
    """Writes plan, truths, trace and output to the directory."""
    outcome = Outcome(made.seed)
    path, trace = directory / "plan.json", directory / "x.pftrace"
    made.write(path)
    alone_truth, truth = directory / "alone.json", directory / "truth.json"
    alone = run_program([str(PROGRAM), str(path), str(alone_truth)], directory, "alone")
    options = ["-m", "tracer", "run", "--no-profile", "--force", "-o", str(trace)]
    traced = run_program([*options, str(PROGRAM), str(path), str(truth)], directory, "traced")
    outcome.wrong += [Wrong("result", *row) for row in _compare(alone, traced)]
    if outcome.wrong:
        return outcome
    known = facts.read(truth)
    tables = (known.waits, known.holds, known.awaits, known.tasks, known.said, known.threads)
    outcome.facts = sum(len(table) for table in tables)
    outcome.wrong += check(trace.read_bytes(), known)
    for words in READINGS:
        outcome.wrong += [Wrong("reader", words[0], text) for text in _read(words, trace)]
    return outcome


def _compare(alone: Ended, traced: Ended) -> list[tuple[str, str]]:
    found = [
        (name, f"ended with {ended.code}: {ended.stderr[-3000:]}")
        for name, ended in (("alone", alone), ("traced", traced))
        if ended.code not in (0, 1, 3)
    ]
    if found:
        return found
    if alone.code != traced.code:
        found.append(
            ("exit code", f"{traced.code}, alone {alone.code}: {traced.stderr[-2000:]}")
        )
    if alone.stdout != traced.stdout:
        pairs = zip(alone.stdout.splitlines(), traced.stdout.splitlines(), strict=False)
        apart = [pair for pair in pairs if pair[0] != pair[1]][:1]
        found.append(("stdout", f"{apart or (alone.stdout, traced.stdout)}"))
    ours = [line for line in traced.stderr.splitlines() if not line.startswith("tracer: ")]
    if ours != alone.stderr.splitlines():
        found.append(("stderr", f"{ours[-3:]}, alone {alone.stderr.splitlines()[-3:]}"))
    return found


def _read(words: tuple[str, ...], trace: Path) -> list[str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([words[0], str(trace), *words[1:]])
        except Exception as error:
            return [f"{words} raises {error!r}"]
    if code or err.getvalue():
        return [f"{words} exits {code}: {err.getvalue()}"]
    if "--json" in words:
        try:
            json.loads(out.getvalue())
        except ValueError as error:
            return [f"{words}: {error}"]
    return [] if out.getvalue() else [f"{words} says nothing"]
