"""A home-made pool of threads takes jobs of all kinds from one queue: short ones wait behind long
ones (https://github.com/skypilot-org/skypilot/pull/7599).
truth: all 3 threads `job-N` are asleep in `launch` for 0.6 s each; `status` waits up to 1 s in
`Event.wait` for its answer."""
import queue
import threading
import time

jobs = queue.Queue()
late = []


def launch():
    time.sleep(0.6)


def status():
    time.sleep(0.005)


def work():
    while (job := jobs.get()) is not None:
        function, done = job
        function()
        done.set()


def call(function):
    done = threading.Event()
    jobs.put((function, done))
    done.wait()


def dashboard(stop):
    while not stop.is_set():
        since = time.monotonic()
        call(status)
        late.append(time.monotonic() - since)
        time.sleep(0.05)


def user(n):
    time.sleep(0.3 + n * 0.02)
    call(launch)
    time.sleep(0.1)
    call(launch)


def main():
    workers = [threading.Thread(target=work, name=f"job-{n}") for n in range(3)]
    stop = threading.Event()
    users = [threading.Thread(target=user, args=(n,), name=f"user-{n}") for n in range(6)]
    boards = [threading.Thread(target=dashboard, args=(stop,), name=f"board-{n}") for n in range(2)]
    for one in workers + users + boards:
        one.start()
    for one in users:
        one.join()
    stop.set()
    for one in boards:
        one.join()
    for _ in workers:
        jobs.put(None)
    for one in workers:
        one.join()
    print("truth", f"status up to {max(late):.2f} s late")


main()
