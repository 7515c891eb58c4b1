"""A function that takes a lock file calls another one that takes the same lock file
(https://github.com/tox-dev/filelock/issues/315).
truth: `MainThread` waits 3 s in `save` for the lock file that `register` has taken."""

import json
import tempfile
import time
from pathlib import Path

from filelock import FileLock, Timeout

FOLDER = Path(tempfile.mkdtemp())
STATE = FOLDER / "state.json"


def state_lock():
    return FileLock(str(STATE) + ".lock")


def load():
    if not STATE.exists():
        return {}
    return json.loads(STATE.read_text())


def save(state):
    lock = state_lock()
    lock.acquire(timeout=3)
    try:
        STATE.write_text(json.dumps(state))
    finally:
        lock.release()


def register(name):
    with state_lock():
        state = load()
        state[name] = time.time()
        save(state)


def main():
    save({})
    for name in ("alpha", "beta"):
        try:
            register(name)
        except Timeout as error:
            print("cannot register", name, error)
            break
    print(load())


main()
