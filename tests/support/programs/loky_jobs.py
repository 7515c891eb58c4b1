"""Jobs of joblib and of its executor, loky's: prints a row for each, with its worker's pid and
the times right before and after it was submitted, run and given back; the last one fails."""

import contextlib
import json
import os
import time

from joblib import Parallel, delayed
from joblib.externals.loky import ProcessPoolExecutor

now = time.monotonic_ns


def timed(text: str) -> tuple[int, int, int, str]:
    began = now()
    time.sleep(0.002)
    return os.getpid(), began, now(), text * 2


def failing() -> None:
    raise KeyError("planted")


def batched(n: int) -> int:
    return n


def main() -> None:
    rows, results = [], []
    with ProcessPoolExecutor(2) as pool:
        for n in range(1, 7):
            before = now()
            results.append((before, pool.submit(timed, "x" * 1000 * n), now()))
        for before, result, submitted in results:
            pid, began, ended, _ = result.result()
            rows.append([pid, before, submitted, began, ended, now()])
        with contextlib.suppress(KeyError):
            pool.submit(failing).result()
    assert Parallel(n_jobs=2, batch_size=3)(delayed(batched)(n) for n in range(9)) == [
        *range(9)
    ]
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
