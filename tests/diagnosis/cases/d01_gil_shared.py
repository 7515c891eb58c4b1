"""Four worker threads score documents in pure Python, and a fifth thread must answer every
10 ms: threads share one GIL.
truth: `score-0..3` compute in `score` and each waits for the GIL; MainThread wakes late."""
import threading
import time

done = threading.Event()


def score(document):
    return sum(ord(letter) * place % 7 for place, letter in enumerate(document))


def work():
    while time.thread_time() < 0.4:
        score("abcdefgh" * 200)


workers = [threading.Thread(target=work, name=f"score-{n}") for n in range(4)]
for worker in workers:
    worker.start()
late = []
while any(worker.is_alive() for worker in workers):
    before = time.monotonic()
    time.sleep(0.01)
    late.append(time.monotonic() - before - 0.01)
print(f"truth late {max(late) * 1e3:.0f} ms")
