"""HEALTHY: a child process answers requests over a Pipe; the parent polls with a time-out and is paced by a timer."""
import multiprocessing
import time


def serve(connection):
    while True:
        request = connection.recv()
        if request is None:
            return
        connection.send(sum(k % 7 for k in range(request)))


def main():
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.Process(target=serve, args=(theirs,), name="model")
    child.start()
    for n in range(30):
        ours.send(20_000 + n)
        if ours.poll(1):
            ours.recv()
        time.sleep(0.05)
    ours.send(None)
    child.join(2)


if __name__ == "__main__":
    main()
