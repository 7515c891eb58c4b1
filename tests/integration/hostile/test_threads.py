"""Programs that take locks in places that could break a hook run the same with us."""

from pathlib import Path

import pytest

from tests.support.launching import Case, compare, script

pytestmark = pytest.mark.broad

FINALIZERS = """\
import gc, threading
lock, again = threading.Lock(), threading.RLock()
count = 0
class Node:
    def __init__(self): self.me = self
    def __del__(self):
        global count
        with again:
            taken = lock.acquire(timeout=0.001)
            count += 1
            if taken: lock.release()
def work():
    for n in range(60):
        for _ in range(4): Node()
        with again, lock:
            if n % 10 == 0: gc.collect(0)
workers = [threading.Thread(target=work) for _ in range(4)]
for worker in workers: worker.start()
for worker in workers: worker.join()
gc.collect()
print(count, lock.locked())
"""
SIGNALS = """\
import signal, threading
again, plain, count = threading.RLock(), threading.Lock(), 0
def handler(*_):
    global count
    with again: count += 1
    if plain.acquire(blocking=False): plain.release()
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
over = threading.Event()
def contend():
    while not over.wait(0.0005):
        with again: pass
        with plain: pass
workers = [threading.Thread(target=contend) for _ in range(3)]
for worker in workers: worker.start()
while count < 300:
    with again: sum(range(1000))
    with plain: again.acquire(timeout=0.001) and again.release()
signal.setitimer(signal.ITIMER_REAL, 0)
over.set()
for worker in workers: worker.join()
print("done", plain.locked())
"""
INTERRUPTED = """\
import os, signal, threading, time, traceback
lock = threading.Lock()
class Stop(Exception): pass
def handler(*_): raise Stop
signal.signal(signal.SIGUSR1, handler)
def sleeps():  # how often the main thread has slept, if it does now
    words = open(f"/proc/self/task/{os.getpid()}/status").read().split()
    value = lambda name: words[words.index(name) + 1]
    return value("State:") == "S" and value("voluntary_ctxt_switches:")
def poke():
    last = None
    while not last or sleeps() != last:  # seen twice in one sleep: it is not for the GIL
        last = sleeps()
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGUSR1)
def blocked(wait):
    poker = threading.Thread(target=poke)
    poker.start()
    try: print(wait())
    except Stop as error: print(traceback.extract_tb(error.__traceback__)[-1].name)
    poker.join()
lock.acquire()
again = threading.RLock()
ready, over = threading.Event(), threading.Event()
def keep():
    with again: ready.set(); over.wait()
keeper = threading.Thread(target=keep); keeper.start(); ready.wait()
import queue
blocked(lock.acquire)
blocked(lambda: lock.acquire(timeout=60))
blocked(again.acquire)
blocked(threading.Event().wait)
blocked(queue.Queue().get)
blocked(queue.SimpleQueue().get)
blocked(keeper.join)
over.set(); keeper.join()
print(lock.locked(), lock.acquire(False), lock.release())
"""
FORKS = """\
import os, threading
lock, again, over = threading.Lock(), threading.RLock(), threading.Event()
def keep():
    while not over.wait(0.0005):
        with lock, again: pass
workers = [threading.Thread(target=keep) for _ in range(3)]
for worker in workers: worker.start()
codes = []
for n in range(20):
    with again: pass
    child = os.fork()
    if not child:
        mine = threading.Lock()
        def work():
            with mine: pass
        with mine: thread = threading.Thread(target=work); thread.start()
        thread.join()
        again.acquire(timeout=0.001)
        os._exit(threading.active_count())
    codes.append(os.waitpid(child, 0)[1])
over.set()
for worker in workers: worker.join()
print(codes)
"""
DAEMONS = """\
import queue, select, os, threading, time
lock, condition, jobs = threading.Lock(), threading.Condition(), queue.Queue()
started = threading.Semaphore(0)
def spin():
    started.release()
    while True: sum(range(50))
def wait_for(what):
    started.release()
    what()
def in_condition():
    with condition: condition.wait()
lock.acquire()
r, w = os.pipe()
waits = [lock.acquire, in_condition, jobs.get, threading.Event().wait, queue.SimpleQueue().get,
         lambda: time.sleep(3600), lambda: os.read(r, 1), lambda: select.select([r], [], [])]
for _ in range(4):
    for what in waits: threading.Thread(target=wait_for, args=(what,), daemon=True).start()
for _ in range(3): threading.Thread(target=spin, daemon=True).start()
for _ in range(4 * len(waits) + 3): started.acquire()
print("main is over")
"""
THOUSAND = """\
import threading
lock, go, count = threading.Lock(), threading.Event(), 0
def work():
    global count
    go.wait()
    for _ in range(10):
        with lock: count += 1
workers = [threading.Thread(target=work) for _ in range(1000)]
for worker in workers: worker.start()
go.set()
for worker in workers: worker.join()
print(count)
"""
BEHAVIOUR = """\
import copy, pickle, queue, threading, _thread
def tell(what, *args, **kwargs):
    try: print(what(*args, **kwargs))
    except Exception as error: print(type(error).__name__, error)
for make in (threading.Lock, threading.RLock, threading.Condition, threading.Semaphore):
    lock = make()
    tell(lock.release)
    tell(lock.acquire)
    tell(lock.acquire, False)
    tell(lock.acquire, False, 1)
    tell(lock.acquire, timeout=-2)
    tell(lock.acquire, True, 1e20)
    tell(lock.acquire, blocking=0)
    tell(lock.acquire, nonsense=1)
    tell(lock.acquire, 1, 2, 3)
    tell(lock.release)
    tell(pickle.dumps, lock)
    tell(lambda: type(copy.copy(lock)))
    with lock as inside: print(type(inside))
    tell(lock.__exit__)
    tell(type(lock).acquire)
    tell(type(lock).acquire, 5)
class Mine(type(threading.RLock())):
    def acquire(self, *args, **kwargs):
        print("mine", args, kwargs)
        return super().acquire(*args, **kwargs)
    __enter__ = acquire
with Mine() as got: print(got)
print(Mine.acquire, Mine().release.__self__.__class__)
lock = _thread.allocate_lock()
print(lock.acquire.__name__, lock.acquire.__doc__[:30], repr(lock), lock.acquire_lock())
print(repr(lock), lock.locked(), lock.release_lock())
print(threading.Lock().acquire.__text_signature__)
for make in (queue.Queue, queue.SimpleQueue, queue.LifoQueue):
    jobs = make()
    tell(jobs.get, False)
    tell(jobs.get, timeout=0.001)
    tell(jobs.get, timeout=-1)
    tell(jobs.put, 1)
    tell(jobs.get, True, 1)
    tell(jobs.get_nowait)
tell(threading.Barrier(2).wait, 0.001)
tell(threading.Event().wait, 0.001)
tell(threading.current_thread().join)
tell(threading.Thread().join)
"""
LATE = """\
import atexit, threading
lock = threading.Lock()
class Last:
    def __del__(self):
        with lock: print("last words", lock.locked())
keep = Last()
keep.itself = keep
def closing():
    thread = threading.Thread(target=lock.acquire)
    with lock: pass
    try: thread.start(); thread.join(); lock.release()
    except RuntimeError as error: print(error)
atexit.register(closing)
threading._register_atexit(lambda: print("threads", threading.active_count()))
"""
PROGRAMS = [
    script("finalizers", FINALIZERS),
    script("signals", SIGNALS),
    script("interrupted", INTERRUPTED),
    script("forks", FORKS, flags=("-W", "ignore")),
    script("daemons", DAEMONS),
    script("a thousand threads", THOUSAND),
    script("behaviour", BEHAVIOUR),
    script("behaviour, debug", BEHAVIOUR, flags=("-X", "dev")),
    script("late", LATE),
]


@pytest.mark.parametrize("case", PROGRAMS, ids=lambda case: case.name)
def test_like_python(case: Case, tmp_path: Path) -> None:
    """Status, output and errors equal those of plain python; the trace is valid."""
    plain, traced = compare(case, tmp_path)
    assert traced == plain
    assert plain.stdout
