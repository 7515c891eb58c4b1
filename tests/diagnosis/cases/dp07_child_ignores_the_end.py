"""A forked child inherits the parent's handler for SIGTERM, which only sets a flag of the parent: terminate does not end it, and join waits
(https://github.com/spack/spack/pull/52082, https://github.com/borgstrom/offspring/issues/2).
truth: `stop_all` terminates three children and joins them; they go on in `poll_feed`, asleep, for 1.5 s until they end by themselves.
wanted: MainThread waited 1.5 s in Process.join in `stop_all` for children that it had terminated: they are still in `poll_feed` (SIGTERM did not
end them: a handler from before the fork)."""
import multiprocessing
import signal
import time

stopping = False


def on_term(number, frame):
    global stopping
    stopping = True


def poll_feed(number):
    for _ in range(20):
        time.sleep(0.1)


def stop_all(children):
    for child in children:
        child.terminate()
    for child in children:
        child.join()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, on_term)
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=poll_feed, args=(n,), name="feed-%d" % n) for n in range(3)]
    for child in children:
        child.start()
    time.sleep(0.4)
    began = time.monotonic()
    stop_all(children)
    print("truth: stopped after %.1f s" % (time.monotonic() - began))
