"""Parts: executors and their futures, and calls that block in the kernel."""

import threading
import time
from typing import Any

from tests.random_programs.kit import Kit, now, tid
from tests.random_programs.parts_locks import SHORT_S, WAITING

IDLE = "work_queue.get("  # the line in which a worker of an executor waits for work


def future_result(kit: Kit) -> object:
    """Other threads wait for a future: it gets a result, an exception, or is cancelled."""
    from concurrent.futures import CancelledError, ThreadPoolExecutor

    gate = threading.Event()
    how = kit.random.choice(("result", "exception", "cancel"))
    wait = kit.lock_wait("Future.result")
    seen: list[str] = []

    def job() -> int:
        gate.wait()
        if how != "cancel":
            wait.row.waker, wait.row.woke_ns = tid(), now()
        if how == "exception":
            raise ValueError("of the job")
        return 7

    def waiter(future: Any) -> None:
        with wait:
            try:
                seen.append(repr(future.result(600)))
            except (ValueError, CancelledError) as error:
                seen.append(type(error).__name__)

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(job)
        future = pool.submit(gate.wait) if how == "cancel" else first
        thread = kit.thread(waiter, future)
        kit.asleep(wait, WAITING)
        if how == "cancel":
            with kit.wakes(wait):
                future.cancel()
            thread.join()
        gate.set()
        thread.join()
    return seen


def pool_idle(kit: Kit) -> object:
    """A worker waits for work again and again; each time submit() ends the wait."""
    from concurrent.futures import ThreadPoolExecutor

    results, ran = [], []

    def job(number: int) -> int:
        ran.append((tid(), threading.get_ident(), now()))
        return number

    with ThreadPoolExecutor(1) as pool:
        results.append(pool.submit(job, 0).result())
        for number in range(1, kit.random.randrange(2, 6)):
            wait = kit.lock_wait("executor idle")
            wait.row.tid, wait.row.ident, wait.row.asked_ns = ran[-1]
            kit.asleep(wait, IDLE)
            with kit.wakes(wait):
                future = pool.submit(job, number)
            results.append(future.result())
            wait.__exit__()
    return results


def pool_shutdown(kit: Kit) -> object:
    """Waits for the worker that is still working."""
    from concurrent.futures import ThreadPoolExecutor

    gate = threading.Event()
    wait = kit.lock_wait("executor shutdown")
    pool = ThreadPoolExecutor(1)
    future = pool.submit(gate.wait)

    def shuts() -> None:
        with wait:
            pool.shutdown()

    thread = kit.thread(shuts)
    kit.asleep(wait, "lock.acquire(block", "self._handle.join(")
    (worker,) = pool._threads
    wait.row.owner = wait.row.waker = worker.native_id or 0
    wait.row.woke_ns = now()
    gate.set()
    thread.join()
    return future.result()


def futures_wait(kit: Kit) -> object:
    """wait() and as_completed(), ended by the last worker."""
    from concurrent import futures

    gates = [threading.Event() for _ in range(kit.random.randrange(1, 3))]
    wait = kit.lock_wait("futures.wait")
    done: list[int] = []

    def job(number: int) -> int:
        gates[number].wait()
        if number == len(gates) - 1:
            wait.row.waker, wait.row.woke_ns = tid(), now()
        return number

    def waiter(jobs: Any) -> None:
        with wait:
            done.append(len(futures.wait(jobs).done))

    with futures.ThreadPoolExecutor(len(gates)) as pool:
        jobs = [pool.submit(job, number) for number in range(len(gates))]
        thread = kit.thread(waiter, jobs)
        kit.asleep(wait, WAITING)
        for number, gate in enumerate(gates):
            gate.set()
            jobs[number].result()
        thread.join()
    return done


def as_completed(kit: Kit) -> object:
    from concurrent import futures

    gate = threading.Event()
    wait = kit.lock_wait("futures.as_completed")
    got: list[int] = []

    def job() -> int:
        gate.wait()
        wait.row.waker, wait.row.woke_ns = tid(), now()
        return 5

    def waiter(jobs: Any) -> None:
        with wait:
            got.extend(each.result() for each in futures.as_completed(jobs))

    with futures.ThreadPoolExecutor(1) as pool:
        jobs = [pool.submit(job)]
        thread = kit.thread(waiter, jobs)
        kit.asleep(wait, WAITING)
        gate.set()
        thread.join()
    return got


def pipe(kit: Kit) -> object:
    """A read that blocks until another thread writes."""
    import os

    reading, writing = os.pipe()
    wait = kit.wait("io: os.read", outcome=None)
    got: list[bytes] = []

    def reader() -> None:
        with wait:
            got.append(os.read(reading, 10))

    thread = kit.thread(reader)
    kit.asleep(wait, "os.read(")
    wait.row.woke_ns = now()
    os.write(writing, b"word")
    thread.join()
    os.close(reading)
    os.close(writing)
    return got


def sockets(kit: Kit) -> object:
    """recv, accept or a poll that block until another thread sends."""
    import select
    import socket

    ours, theirs = socket.socketpair()
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    name, call = kit.random.choice(
        (
            ("socket.recv", lambda: ours.recv(1)),
            ("socket.recv_into", lambda: ours.recv_into(bytearray(1))),
            ("select.select", lambda: len(select.select([ours], [], [])[0])),
            ("select.poll.poll", lambda: len(poll.poll())),
        )
    )
    wait = kit.wait(f"io: {name}", outcome=None)
    got: list[object] = []

    def reader() -> None:
        with wait:
            got.append(call())

    thread = kit.thread(reader)
    kit.asleep(wait, "lambda:")
    wait.row.woke_ns = now()
    theirs.send(b"x")
    thread.join()
    ours.close()
    theirs.close()
    return name, got


def sleep(kit: Kit) -> object:
    wait = kit.wait("sleep", outcome=None)
    with wait:
        time.sleep(SHORT_S)
    wait.row.woke_ns = wait.row.asked_ns + int(SHORT_S * 1e9)
    return "slept"
