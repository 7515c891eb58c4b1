"""Two threads put into each other's full queue (as release-engineering/kobo#257, with two threads).
truth: `parser` and `saver` both wait 1.2 s in Queue.put, in `parse` and `save`."""
import queue
import threading

to_save, to_parse = queue.Queue(2), queue.Queue(2)


def parse():
    for _ in range(3):
        try:
            item = to_parse.get(timeout=0.2)
            for n in range(4):
                to_save.put((item, n), timeout=1.2)
        except (queue.Full, queue.Empty):
            print("truth parse gave up")
            return


def save():
    for _ in range(9):
        try:
            item = to_save.get(timeout=0.2)
            for _ in range(4):
                to_parse.put(item, timeout=1.2)
        except (queue.Full, queue.Empty):
            print("truth save gave up")
            return


to_parse.put("start")
threads = [threading.Thread(target=parse, name="parser"), threading.Thread(target=save, name="saver")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
