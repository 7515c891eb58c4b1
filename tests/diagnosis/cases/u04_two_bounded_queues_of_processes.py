"""The parent fills the inbox of its workers before it reads any result; both queues are bounded
(https://github.com/python/cpython/issues/87334).
truth: `main` waits in put of the inbox for 1.5 s, while both workers wait in put of the outbox, which only `main` empties."""
import multiprocessing
import queue

context = multiprocessing.get_context("fork")


def resize(inbox, outbox):
    while (item := inbox.get()) is not None:
        try:
            outbox.put(item * 2, timeout=3)
        except queue.Full:
            return


def feed(inbox):
    for n in range(40):
        inbox.put(n, timeout=1.5)


def main():
    inbox, outbox = context.Queue(4), context.Queue(4)
    workers = [context.Process(target=resize, args=(inbox, outbox), name=f"worker-{n}") for n in range(2)]
    for worker in workers:
        worker.start()
    try:
        feed(inbox)
    except queue.Full:
        print("truth: main gave up")
    for worker in workers:
        worker.terminate()
        worker.join()
    inbox.cancel_join_thread()


if __name__ == "__main__":
    main()
