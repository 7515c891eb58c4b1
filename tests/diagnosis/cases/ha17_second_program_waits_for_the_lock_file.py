"""Only one program may run; a second one waits for the lock file without a word
(https://github.com/SUSE-Enceladus/cloud-regionsrv-client/pull/290).

truth: `register` in the second process waits in `flock` for 2 s, since the first process keeps the lock while it
sleeps in `refresh`.
"""
import fcntl
import multiprocessing
import tempfile
import time
from pathlib import Path


def refresh() -> None:
    time.sleep(2.0)


def register(path: Path) -> None:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        refresh()


def main() -> None:
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "register.lock"
        processes = [context.Process(target=register, args=(path,), name=f"register-{n}") for n in range(2)]
        for process in processes:
            process.start()
            time.sleep(0.1)
        for process in processes:
            process.join()


main()
