"""Both ends of a pipe send a large message before they read the other's
(https://github.com/python/cpython/issues/116400).
truth: MainThread waits in `send` to the simulator, which waits in its own `send` to the parent:
1.5 s, until the watchdog kills it."""
import multiprocessing
import threading
import time


def simulate_both(connection):
    for n in range(20):
        step = connection.recv()
        connection.send((n, step * 2))
    connection.send(b"s" * 1_000_000)
    connection.recv()


def main():
    here, there = multiprocessing.get_context("fork").Pipe()
    child = multiprocessing.get_context("fork").Process(target=simulate_both, args=(there,), name="simulator")
    child.start()
    there.close()
    done = []
    for n in range(20):
        here.send(n)
        done.append(here.recv())
        time.sleep(0.005)
    time.sleep(0.05)
    watchdog = threading.Timer(1.5, child.kill)
    watchdog.start()
    try:
        here.send(b"c" * 1_000_000)
    except OSError as error:
        print("truth", type(error).__name__, len(done))
    child.join()


main()
