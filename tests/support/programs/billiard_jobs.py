"""Jobs of billiard's pool: prints a row for each, with its worker's pid and the times right
before and after it was submitted, run and given back; the last job fails."""

import contextlib
import json
import os
import time

import billiard

now = time.monotonic_ns


def timed(text: str) -> tuple[int, int, int, str]:
    began = now()
    time.sleep(0.002)
    return os.getpid(), began, now(), text * 2


def failing() -> None:
    raise KeyError("planted")


def main() -> None:
    pool = billiard.Pool(2)
    rows, results = [], []
    for n in range(1, 7):
        before = now()
        results.append((before, pool.apply_async(timed, ("x" * 1000 * n,)), now()))
    for before, result, submitted in results:
        pid, began, ended, _ = result.get()
        rows.append([pid, before, submitted, began, ended, now()])
    with contextlib.suppress(KeyError):
        pool.apply_async(failing).get()
    pool.close()
    pool.join()
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
