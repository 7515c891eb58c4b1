"""A session waits in flock for the ledger that a sibling process keeps locked while it talks to a service
(https://github.com/damianvtran/local-operator/pull/426).
truth: MainThread of the parent waits 1.3 s in `flock` in `record`; child `reaper` has it, asleep in `ask_service`."""
import fcntl, multiprocessing as mp, os, tempfile, time

LEDGER = os.path.join(tempfile.mkdtemp(), "ledger.lock")


def ask_service():
    time.sleep(1.4)


def reap(ready):
    with open(LEDGER, "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        ready.set()
        ask_service()


def record(text):
    with open(LEDGER, "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.write(text)


if __name__ == "__main__":
    c = mp.get_context("fork")
    ready = c.Event()
    p = c.Process(target=reap, args=(ready,), name="reaper")
    p.start()
    ready.wait()
    time.sleep(0.1)
    began = time.monotonic()
    record("session 1")
    print("truth: waited", time.monotonic() - began)
    p.join()
