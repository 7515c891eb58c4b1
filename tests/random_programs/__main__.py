"""Runs any number of seeds: `python -m tests.random_programs --seeds 0:1000`."""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.random_programs.plan import OPEN, make_plan
from tests.random_programs.run import run_seed
from tests.random_programs.shrink import shrink


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.random_programs")
    parser.add_argument("--seeds", default="0:100", help="FROM:UNTIL, or one")
    parser.add_argument("--keep", type=Path, help="directory for what failing seeds left")
    parser.add_argument("--all", action="store_true", help="with what is known to be wrong")
    parser.add_argument("--shrink", action="store_true", help="make what fails smaller")
    options = parser.parse_args()
    first, _, last = options.seeds.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    keep = options.keep or Path(tempfile.mkdtemp(prefix="random-programs-"))
    left_out = () if options.all else OPEN
    kinds: Counter[str] = Counter()
    bad = facts = 0
    for seed in seeds:
        directory = keep / str(seed)
        directory.mkdir(parents=True, exist_ok=True)
        outcome = run_seed(seed, directory, left_out)
        facts += outcome.facts
        found = {wrong.kind for wrong in outcome.wrong}
        kinds.update(found)
        if not found:
            shutil.rmtree(directory)
            continue
        bad += 1
        for wrong in outcome.wrong:
            print(f"seed {seed}: {wrong}")
        print(f"seed {seed}: kept in {directory}", flush=True)
        if options.shrink:
            smaller = directory / "smaller"
            smaller.mkdir(exist_ok=True)
            plan = shrink(make_plan(seed, left_out), found, smaller, left_out)
            plan.write(smaller / "plan.json")
            print(f"seed {seed}: smaller: {plan}", flush=True)
    print(f"{len(seeds)} seeds, {facts} facts, {bad} seeds disagree: {dict(kinds)}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
