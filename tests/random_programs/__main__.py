"""Runs any number of seeds: `python -m tests.random_programs --seeds 0:1000`."""

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.random_programs.plan import OPEN
from tests.random_programs.run import Outcome, run_seed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.random_programs")
    parser.add_argument("--seeds", default="0:100", help="FROM:UNTIL, or one")
    parser.add_argument("--keep", type=Path, help="directory for what failing seeds left")
    parser.add_argument("--all", action="store_true", help="with what is known to be wrong")
    options = parser.parse_args()
    first, _, last = options.seeds.partition(":")
    seeds = range(int(first), int(last) if last else int(first) + 1)
    keep = options.keep or Path(tempfile.mkdtemp(prefix="random-programs-"))
    kinds: Counter[str] = Counter()
    bad = facts = 0
    for seed in seeds:
        directory = keep / str(seed)
        directory.mkdir(parents=True, exist_ok=True)
        outcome: Outcome = run_seed(seed, directory, () if options.all else OPEN)
        facts += outcome.facts
        for wrong in outcome.wrong:
            print(f"seed {seed}: {wrong}", flush=True)
        kinds.update({wrong.kind for wrong in outcome.wrong})
        bad += bool(outcome.wrong)
        if outcome.wrong:
            print(f"seed {seed}: kept in {directory}", flush=True)
        else:
            shutil.rmtree(directory)
    print(f"{len(seeds)} seeds, {facts} facts, {bad} seeds disagree: {dict(kinds)}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
